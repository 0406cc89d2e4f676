/* The nft tables of a gate as text for sys/nft.h: pure functions of the plan. */
#ifndef GATUN_GATE_RULESET_H
#define GATUN_GATE_RULESET_H

#include <stdio.h>

#include "gate/gate.h"

/* The prefixes that are on links now, and the excludes: what is never taken. */
struct gate_near {
	const struct gate_prefix *prefixes;
	int n;
};

/* One transaction that leaves GATE_NFT_TABLE, and with kill_switch GATE_NFT_GUARD, as the plan
 * says, whatever stood there before (a guard that the plan has not goes). 0 or -ENOMEM; *text
 * is malloc'ed. */
int gate_ruleset_up(const struct gate_plan *, const struct gate_near *, char **text);
/* The elements of the sets of near prefixes, replaced in one transaction. */
int gate_ruleset_near(const struct gate_plan *, const struct gate_near *, char **text);
/* Removes what is there of ours: guard_too or all but what keeps traffic in. Never an error that
 * nothing is there. */
int gate_ruleset_down(bool guard_too, char **text);
/* The same rules for those who keep their own: iptables and ip6tables commands. */
int gate_ruleset_iptables(const struct gate_plan *, const struct gate_near *, FILE *);

#endif
