/* Between the files of the ruleset alone: who writes which part of the text. */
#ifndef GATUN_GATE_RULESET_TEXT_H
#define GATUN_GATE_RULESET_TEXT_H

#include <stdio.h>

#include "gate/ruleset.h"

/* Chains of GATE_NFT_TABLE that differ by mode (ruleset_capture.c), and the guard's (ruleset_guard.c).
 * Words with a $ are defined by ruleset.c: $own $reply $take $leave (marks), $tun $self4
 * $self6 $lans $uids $plugin. */
void ruleset_write_tun(FILE *, const struct gate_plan *);
void ruleset_write_tproxy(FILE *, const struct gate_plan *);
void ruleset_write_redirect(FILE *, const struct gate_plan *);
void ruleset_write_guard(FILE *, const struct gate_plan *);

/* "ct mark and 0xffff == 0x6761", with `relation` between; and the statement that sets it. */
void ruleset_write_ct_is(FILE *, const struct gate_plan *, const char *relation, enum gate_mark);
void ruleset_write_ct_set(FILE *, const struct gate_plan *, enum gate_mark);
/* A rule each for the TUN's own addresses, as source. */
void ruleset_write_self(FILE *, const struct gate_plan *, const char *condition, const char *verdict);
/* "socket cgroupv2 level 2 \"a/b\" VERDICT" for each cgroup of the plan, one rule each. */
void ruleset_write_cgroups(FILE *, const struct gate_plan *, const char *verdict);

/* Sorted, without those that lie in another; malloc'ed, or NULL for no memory. */
struct gate_prefix *ruleset_own_prefixes(const struct gate_prefix *, int n, int *n_out);

/* Does the plan have names to answer? REDIRECT needs a port for them. */
static inline bool ruleset_takes_dns(const struct gate_plan *plan)
{
	return plan->dns && (plan->mode != GATE_REDIRECT || plan->dns_port);
}

/* The bits of a connection's mark that are ours: the rest stays what others made it. */
static inline uint32_t ruleset_ct_bits(const struct gate_plan *plan)
{
	return plan->mark + GATE_MARKS - 1 <= 0xffff ? 0xffff : 0xffffffff;
}

static inline uint32_t ruleset_mark(const struct gate_plan *plan, enum gate_mark which)
{
	return plan->mark + which;
}

/* Neighbour and router discovery, MLD: the link's own affair. */
#define RULESET_LINK_ICMP6 \
	"icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, " \
	"nd-redirect, mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } "

#endif
