/*
 * What gate_up would do, for those who keep their own rules: every line is one
 * that ip, sysctl, nft or iptables takes. The TUN is not there yet; its routes
 * are written with its name.
 */
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "gate/parts.h"

static const char *ip_of(uint8_t family)
{
	return family == AF_INET6 ? "ip -6" : "ip";
}

static void print_sysctls(const struct sysctl_list *l, FILE *out)
{
	for (int i = 0; i < l->n; i++)
		if (l->at[i].set[0])
			fprintf(out, "echo %s >/proc/sys/%s\n", l->at[i].set, l->at[i].path);
}

static void print_device(const struct gate_plan *p, FILE *out)
{
	const struct gate_prefix self[] = { { p->self4, p->self4_len }, { p->self6, p->self6_len } };
	struct sysctl_list knobs = { 0 };
	char text[GATE_WORDS];

	if (p->mode != GATE_TUN)
		return;
	fprintf(out, "# the device, which gatun makes\n");
	gate_sysctls_of_device(p, &knobs);
	print_sysctls(&knobs, out);
	free(knobs.at);
	fprintf(out, "ip link set %s up mtu %d\n", p->device, p->mtu);
	for (int i = 0; i < (p->ipv6 ? 2 : 1); i++)
		fprintf(out, "ip address add %s dev %s noprefixroute\n", gate_prefix_words(&self[i], text), p->device);
}

/* The last resort of what is taken; the way that is taken stands before it. */
static void print_way_in(struct netlink *n, const struct gate_plan *p, const struct netlink_route *last, FILE *out)
{
	struct netlink_route way = *last;
	char text[GATE_WORDS];

	if (p->mode != GATE_TUN || if_nametoindex(p->device) || (way.family == AF_INET6 && !p->ipv6) ||
	    way.table == p->table + 2)
		return;
	way.type = RTN_UNICAST;
	way.metric = 0;
	way.source = gate_usual_source(n, p, way.family);
	fprintf(out, "%s route add %s dev %s\n", ip_of(way.family), gate_route_words(&way, text), p->device);
}

static void print_routes(struct netlink *n, const struct gate_plan *p, const struct route_list *l, FILE *out)
{
	char text[GATE_WORDS];

	fprintf(out, "# routes: what is near, what is taken, and unreachable behind it\n");
	for (int i = 0; i < l->n; i++) {
		fprintf(out, "%s route append %s\n", ip_of(l->at[i].family), gate_route_words(&l->at[i], text));
		if (l->at[i].metric == GATE_LAST_METRIC)
			print_way_in(n, p, &l->at[i], out);
	}
}

static void print_rules(const struct rule_list *l, FILE *out)
{
	char text[GATE_WORDS];

	fprintf(out, "# policy rules: who is asked which table\n");
	for (int i = 0; i < l->n; i++)
		fprintf(out, "%s rule add %s\n", ip_of(l->at[i].family), gate_rule_words(&l->at[i], text));
}

static int print_filter(const struct gate_plan *p, const struct near_list *l, enum gate_form form, FILE *out)
{
	struct gate_ports ports;
	struct gate_near near = gate_near_of(l, &ports);
	char *text = NULL;
	int result;

	if (form == GATE_FORM_IPTABLES)
		return gate_ruleset_iptables(p, &near, out);
	result = gate_ruleset_up(p, &near, &text);
	if (!result)
		fprintf(out, "# nftables\nnft -f - <<'END'\n%s%sEND\n", text, *text && text[strlen(text) - 1] == '\n' ? "" : "\n");
	free(text);
	return result;
}

int gate_print(const struct gate_plan *p, enum gate_form form, FILE *out)
{
	struct sysctl_list sysctls = { 0 };
	struct route_list routes = { 0 };
	struct rule_list rules = { 0 };
	struct near_list near = { 0 };
	struct netlink n;
	int result = netlink_open(&n);

	if (result)
		return result;
	result = gate_near_read(&n, p, &near);
	if (!result)
		result = gate_routes_want(&n, p, &near, &routes);
	if (!result)
		result = gate_rules_want(p, &rules);
	if (!result)
		result = gate_sysctls_want(p, &sysctls);
	if (!result) {
		if (sysctls.n)
			fprintf(out, "# sysctls\n");
		print_sysctls(&sysctls, out);
		print_device(p, out);
		print_routes(&n, p, &routes, out);
		result = print_filter(p, &near, form, out);
		print_rules(&rules, out);
	}
	netlink_close(&n);
	gate_near_free(&near);
	free(routes.at);
	free(rules.at);
	free(sysctls.at);
	return result;
}
