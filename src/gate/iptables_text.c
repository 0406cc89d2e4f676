/*
 * Commands of iptables and ip6tables as text, one function for each kind of line
 * that ruleset_iptables.c writes. What the rules mean is not known here.
 */
#include "gate/iptables_text.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <string.h>

#include "gate/ruleset_text.h"

const char *iptables_program(const struct iptables *t)
{
	return t->family == AF_INET ? "iptables" : "ip6tables";
}

/* A rule at the end of a chain: `chain` is "TABLE CHAIN". */
void iptables_rule(const struct iptables *t, const char *chain, const char *fmt, ...)
{
	const char *name = strchr(chain, ' ') + 1;
	va_list args;

	fprintf(t->f, "%s -w -t %.*s -A %s ", iptables_program(t), (int)(name - chain - 1), chain, name);
	va_start(args, fmt);
	vfprintf(t->f, fmt, args);
	va_end(args);
	fputc('\n', t->f);
}

/* Made, or emptied where it is there. */
void iptables_chain(const struct iptables *t, const char *table, const char *name)
{
	fprintf(t->f, "%s -w -t %s -N %s 2>/dev/null || %s -w -t %s -F %s\n", iptables_program(t), table, name, iptables_program(t), table, name);
}

void iptables_hook(const struct iptables *t, const char *table, const char *where, const char *name)
{
	fprintf(t->f, "%s -w -t %s -C %s -j %s 2>/dev/null || %s -w -t %s -I %s -j %s\n", iptables_program(t), table, where, name, iptables_program(t), table,
		where, name);
}

uint32_t iptables_mark(const struct iptables *t, enum gate_mark which)
{
	return ruleset_mark(t->plan, which);
}

void iptables_set_mark(const struct iptables *t, const char *where, const char *match, enum gate_mark which)
{
	iptables_rule(t, where, "%s -j MARK --set-mark 0x%x", match, iptables_mark(t, which));
}

void iptables_set_ct_mark(const struct iptables *t, const char *where, const char *match, enum gate_mark which)
{
	iptables_rule(t, where, "%s -m conntrack --ctstate NEW -j CONNMARK --set-xmark 0x%x/0x%x", match, iptables_mark(t, which),
	     ruleset_ct_bits(t->plan));
}

void iptables_pass_mark(const struct iptables *t, const char *where, enum gate_mark which)
{
	iptables_rule(t, where, "-m mark --mark 0x%x -j ACCEPT", iptables_mark(t, which));
}

void iptables_each_prefix(const struct iptables *t, const char *where, const struct gate_prefix *prefixes, int n, const char *target)
{
	char text[INET6_ADDRSTRLEN];

	for (int i = 0; i < n; i++)
		if (prefixes[i].at.family == t->family)
			iptables_rule(t, where, "-d %s/%u %s", inet_ntop(t->family, prefixes[i].at.ip.bytes, text, sizeof(text)),
			     prefixes[i].len, target);
}

void iptables_each_protocol(const struct iptables *t, const char *where, const char *rest)
{
	iptables_rule(t, where, "-p tcp %s", rest);
	iptables_rule(t, where, "-p udp %s", rest);
}

void iptables_each_uid(const struct iptables *t, const char *where, const char *target)
{
	for (int i = 0; i < t->plan->n_uids; i++)
		iptables_rule(t, where, "-m owner --uid-owner %u-%u %s", t->plan->uids[i].from, t->plan->uids[i].to, target);
}

void iptables_each_cgroup(const struct iptables *t, const char *where, const char *target)
{
	for (int i = 0; i < t->plan->n_cgroups; i++)
		iptables_rule(t, where, "-m cgroup --path \"%s\" %s", t->plan->cgroups[i] + strspn(t->plan->cgroups[i], "/"), target);
}

void iptables_each_lan(const struct iptables *t, const char *where, const char *direction, const char *rest)
{
	for (int i = 0; i < t->plan->n_lans; i++)
		iptables_rule(t, where, "%s \"%s\" %s", direction, t->plan->lans[i], rest);
}

void iptables_pass_link_icmp6(const struct iptables *t, const char *where)
{
	static const int types[] = { 133, 134, 135, 136, 137, 130, 131, 132, 143 };

	for (size_t i = 0; t->family == AF_INET6 && i < sizeof(types) / sizeof(types[0]); i++)
		iptables_rule(t, where, "-p icmpv6 --icmpv6-type %d -j ACCEPT", types[i]);
}

void iptables_pass_dhcp(const struct iptables *t, const char *where)
{
	if (t->plan->dhcp && t->family == AF_INET)
		iptables_rule(t, where, "-p udp --sport 68 --dport 67 -j ACCEPT");
	else if (t->plan->dhcp)
		iptables_rule(t, where, "-p udp --sport 546 --dport 547 -j ACCEPT");
}
