/*
 * What the supervisor of `up` does when the network changes: the gate follows, the way to the
 * servers is tried, the TUN's MTU is what fits the path. Workers follow by themselves
 * (network.h, near_tun.c).
 */
#ifndef GATUN_ROLES_UP_FOLLOW_H
#define GATUN_ROLES_UP_FOLLOW_H

#include "conf/config.h"
#include "gate/gate.h"

/* Once the gate stands and the loop is there. Both are borrowed until the end or the next config. */
void up_follow_begin(const struct gate_plan *, const struct config *);
void up_follow_change(const struct config *);
/* Before the gate is taken down. Idempotent. */
void up_follow_end(void);

#endif
