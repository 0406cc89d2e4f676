/* Between the two files of the iptables form: single commands, each a line of the text. */
#ifndef GATUN_GATE_IPTABLES_TEXT_H
#define GATUN_GATE_IPTABLES_TEXT_H

#include <stdio.h>

#include "gate/ruleset.h"

/* What is being written: the rules of one family. */
struct iptables {
	FILE *f;
	const struct gate_plan *plan;
	const struct gate_prefix *near; /* without those inside others */
	int n_near;
	const struct gate_near *machine;
	int family;
};

/* `where` is "TABLE CHAIN" everywhere; a rule goes to the chain's end. */
const char *iptables_program(const struct iptables *t);
void iptables_rule(const struct iptables *t, const char *chain, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Made, or emptied where it is there; and reached from a chain of the kernel's. */
void iptables_chain(const struct iptables *t, const char *table, const char *name);
void iptables_hook(const struct iptables *t, const char *table, const char *where, const char *name);

uint32_t iptables_mark(const struct iptables *t, enum gate_mark which);
void iptables_set_mark(const struct iptables *t, const char *where, const char *match, enum gate_mark which);
void iptables_set_ct_mark(const struct iptables *t, const char *where, const char *match, enum gate_mark which);
void iptables_pass_mark(const struct iptables *t, const char *where, enum gate_mark which);

/* A rule for each: of this family, TCP and UDP, of the plan. */
void iptables_each_prefix(const struct iptables *t, const char *where, const struct gate_prefix *prefixes, int n, const char *target);
void iptables_each_protocol(const struct iptables *t, const char *where, const char *rest);
void iptables_each_uid(const struct iptables *t, const char *where, const char *target);
void iptables_each_cgroup(const struct iptables *t, const char *where, const char *target);
void iptables_each_lan(const struct iptables *t, const char *where, const char *direction, const char *rest);

/* What a link needs: neighbours, routers, groups; and DHCP if the plan lets it. */
void iptables_pass_link_icmp6(const struct iptables *t, const char *where);
void iptables_pass_dhcp(const struct iptables *t, const char *where);

#endif
