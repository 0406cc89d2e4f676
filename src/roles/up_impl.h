/* What up.c (the supervisor of `up`) and up_ports.c share. Nobody else includes it. */
#ifndef GATUN_ROLES_UP_IMPL_H
#define GATUN_ROLES_UP_IMPL_H

#include "client/near.h"
#include "roles/up_plan.h"

/* Of modes TPROXY and REDIRECT: fills in the plan's ports that are to be any with free ones, and where
 * the workers listen. 0 or -errno, logged. */
int up_ports_choose(struct gate_plan *, struct near_options *);

#endif
