/*
 * A flow that is our own, come back: somebody took the mark from our sockets, or the rules
 * that obey it, and what we send to the server reaches us as if an application had sent it.
 * Carried, it would be sent again, and again. It is refused, and a line says so.
 */
#ifndef GATUN_CLIENT_LOOP_GUARD_H
#define GATUN_CLIENT_LOOP_GUARD_H

#include "flow/assoc.h"

/* Before the first socket of ours; where there are no workers nothing is guarded. */
void loop_guard_begin(void);
bool loop_guard_is_own(const struct addr *client, const struct target *);
/* For assoc_table_limit(). */
enum flow_end loop_guard_admit(void *owner, const struct assoc_key *, struct limits_flow **);

#endif
