/* The nft tables of a gate as text for sys/nft.h: pure functions of the plan. */
#ifndef GATUN_GATE_RULESET_H
#define GATUN_GATE_RULESET_H

#include <stdio.h>

#include "gate/gate.h"

#define GATE_NFT_DROPPED "dropped" /* the counter of GATE_NFT_GUARD; GATE_NFT_TABLE has one for what found no listener */

/* What of the machine the rules depend on. */
struct gate_near {
	const struct gate_prefix *prefixes; /* on links now, and the excludes: never taken; may overlap */
	int n;
	const uint16_t *listening; /* TCP ports somebody listens on (sys/listening.h): connections that stood
				    * before the gate keep their way by them. Not looked at by gate_ruleset_near. */
	int n_listening;
	const uint16_t *serving; /* UDP ports that the kernel itself serves */
	int n_serving;
	uint16_t ephemeral_from, ephemeral_to; /* ports that clients have; 0: not known */
	int64_t settled; /* Unix time from which on no UDP flow from before the gate can be alive; 0: no such flow */
};

/* One transaction that leaves GATE_NFT_TABLE, and with kill_switch GATE_NFT_GUARD, as the plan
 * says, whatever stood there before (a guard that the plan has not goes). *text is malloc'ed.
 * 0, -ENOMEM, or -EINVAL: the name of an interface or cgroup that nft cannot hold. */
int gate_ruleset_up(const struct gate_plan *, const struct gate_near *, char **text);
/* The elements of the sets of near prefixes, replaced in one transaction. Errors as above. */
int gate_ruleset_near(const struct gate_plan *, const struct gate_near *, char **text);
/* Removes what is there of ours; never an error that nothing is there. Without guard_too the guard
 * stays, and with it nothing of GATE_NFT_TABLE may go: answers to connections from outside pass it
 * by that table's marks. So nobody who leaves a guard calls this but to lift a capture without one. */
int gate_ruleset_down(bool guard_too, char **text);
/* The same rules for those who keep their own: iptables and ip6tables commands. */
int gate_ruleset_iptables(const struct gate_plan *, const struct gate_near *, FILE *);

#endif
