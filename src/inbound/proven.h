/*
 * Addresses that have proven themselves: a TCP connection from there has opened
 * a Shadowsocks stream lately, so whoever holds it receives what is sent there and
 * wants something of this server. A datagram alone proves nothing of the kind: its
 * source is whatever its sender wrote (docs/decisions/0009-amplification.md).
 */
#ifndef GATUN_INBOUND_PROVEN_H
#define GATUN_INBOUND_PROVEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

#define PROVEN_S 3600 /* how long it counts */

struct proven;
/* shared: for the children of this process as well. NULL: no memory. */
struct proven *proven_new(bool shared);
/* Of a shared one this gives back the process's own view alone. NULL is nothing. */
void proven_free(struct proven *);

/* now_ms: loop_now(). The port means nothing. */
void proven_note(struct proven *, const struct addr *, uint64_t now_ms);
bool proven_is(const struct proven *, const struct addr *, uint64_t now_ms);

#endif
