/*
 * The policy rules: who is asked which table. Everything stands at priorities of
 * its own from plan.priority on, in this order, in both families:
 *
 *   own, reply, left out (marks), the plugin's uid     main, and nothing else
 *   what comes out of the TUN                          what is near, and nothing else
 *   to be taken (mark)                                 our tables, and nothing else
 *   from an interface of --lan                         )
 *   --uid                                              ) our tables, or main
 *   everybody                                          )
 *
 * "And nothing else" is a rule of its own behind each that says unreachable: a
 * table without an answer makes the kernel ask the next rule, and the next
 * rule's answer would be wrong for such a packet: our own would come back to us,
 * and what is to be taken would leave by the main table.
 *
 * The main table is never asked for what is to be taken, not even for its
 * specific routes (`lookup main suppress_prefixlength 0`): DHCP's option 121 can
 * plant 0.0.0.0/1 there, and a router advertisement the same for IPv6.
 * Port 53 is asked of the second table, which knows nothing near: a resolver in
 * the LAN is taken, too. The table `local` stays before all of it.
 *
 * But the kernel asks by these very rules whether the gateway of a new IPv4 route is on
 * a link, also where the route is for the main table, and a link that came a moment ago
 * is not near yet: a DHCP client adds its address and its default route at once. Such a
 * question skips routes of scope global. So those of ours that hold everything are of
 * that scope; table + 2, which has an unreachable default and nothing else, stops each
 * packet; and what is asked of the main table behind it are gateways alone.
 *
 * With --route nothing is said of the rest, which the main table then has.
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/err.h"
#include "gate/parts.h"

enum place {
	AT_OWN, AT_OWN_END, AT_REPLY, AT_REPLY_END, AT_LEAVE, AT_LEAVE_END, AT_PLUGIN, AT_PLUGIN_END,
	AT_DEVICE, AT_DEVICE_END, AT_TAKE, AT_TAKE_END = AT_TAKE + 6, AT_LAN, AT_UID = AT_LAN + 6, AT_ALL = AT_UID + 6, PLACES = AT_ALL + 6
};
/* Of those who are taken: AT_X + */
enum step { NAMES, FLOWS, NEAR, NOTHING, GATEWAYS, END };

_Static_assert(PLACES <= GATE_PRIORITIES, "priorities of ours");

static void put(struct rule_list *l, const struct netlink_rule *r)
{
	if (array_reserve(&l->at, &l->room, (size_t)l->n + 1, sizeof(*l->at)) < 0)
		l->no_memory = true;
	else
		l->at[l->n++] = *r;
}

/* `who` at this place asks this table; table 0: is told that there is no way. */
static void say(struct rule_list *l, const struct gate_plan *p, struct netlink_rule who, unsigned place, uint32_t table)
{
	who.priority = p->priority + place;
	who.protocol = GATE_PROTOCOL;
	who.action = table ? FR_ACT_TO_TBL : FR_ACT_UNREACHABLE;
	who.table = table;
	put(l, &who);
}

static struct netlink_rule anybody(uint8_t family)
{
	return (struct netlink_rule){ .family = family };
}

static struct netlink_rule marked(const struct gate_plan *p, uint8_t family, enum gate_mark mark)
{
	struct netlink_rule r = anybody(family);

	r.mark = p->mark + mark;
	r.mask = UINT32_MAX;
	return r;
}

static struct netlink_rule uids(uint8_t family, uint32_t from, uint32_t to)
{
	struct netlink_rule r = anybody(family);

	r.uids = true;
	r.uid_from = from;
	r.uid_to = to;
	return r;
}

static void by_main(struct rule_list *l, const struct gate_plan *p, struct netlink_rule who, unsigned place)
{
	say(l, p, who, place, RT_TABLE_MAIN);
	say(l, p, who, place + 1, 0);
}

/* Port 53, whatever its address, of what goes by TCP and UDP. */
static void take_names(struct rule_list *l, const struct gate_plan *p, struct netlink_rule who, unsigned place)
{
	who.port_from = who.port_to = 53;
	who.ip_protocol = IPPROTO_UDP;
	say(l, p, who, place, p->table + 1);
	who.ip_protocol = IPPROTO_TCP;
	say(l, p, who, place, p->table + 1);
}

/* TPROXY and REDIRECT: what they carry goes by lo, where our listeners are, and so does UDP under
 * REDIRECT, which nft refuses there: without any way, answers to outside would not come so far. Of
 * the rest only what is near has a way, because an ICMP echo by lo would be answered by the kernel. */
static void take_flows(struct rule_list *l, const struct gate_plan *p, struct netlink_rule who, unsigned place)
{
	struct netlink_rule one = who;

	one.ip_protocol = IPPROTO_TCP;
	say(l, p, one, place + FLOWS, p->table);
	one.ip_protocol = IPPROTO_UDP;
	say(l, p, one, place + FLOWS, p->table);
	one = who;
	one.not_default = true;
	if (!p->n_routes)
		say(l, p, one, place + NEAR, p->table);
}

static bool names_are_taken(const struct gate_plan *p)
{
	return p->dns && (p->mode != GATE_REDIRECT || p->dns_port);
}

/* The kernel's own question has no mark and comes from no interface. */
static void pass_gateways(struct rule_list *l, const struct gate_plan *p, struct netlink_rule who, unsigned place)
{
	if (who.family != AF_INET || who.mark || who.iif[0])
		return;
	say(l, p, who, place + NOTHING, p->table + 2);
	who.not_default = true;
	say(l, p, who, place + GATEWAYS, RT_TABLE_MAIN);
}

static void take(struct rule_list *l, const struct gate_plan *p, struct netlink_rule who, unsigned place)
{
	if (names_are_taken(p))
		take_names(l, p, who, place + NAMES);
	if (p->mode == GATE_TUN)
		say(l, p, who, place + FLOWS, p->table);
	if (!p->n_routes) {
		pass_gateways(l, p, who, place);
		say(l, p, who, place + END, 0);
	}
	if (p->mode != GATE_TUN)
		take_flows(l, p, who, place);
}

/* What is marked to be taken: by TPROXY's rules on its way to lo, of a cgroup, or of a picked user's connection. */
static void take_marked(struct rule_list *l, const struct gate_plan *p, uint8_t family)
{
	struct netlink_rule who = marked(p, family, GATE_MARK_TAKE);

	if (p->mode != GATE_TUN)
		say(l, p, who, AT_TAKE, p->table + 1);
	else if (p->pick == GATE_ONLY || (p->pick == GATE_EXCEPT && p->n_uids))
		take(l, p, who, AT_TAKE);
	else
		return;
	say(l, p, who, AT_TAKE_END, 0);
}

/* What we say goes to those who asked, in the LAN and in containers; never round to us again. */
static void device_answers(struct rule_list *l, const struct gate_plan *p, uint8_t family)
{
	struct netlink_rule who = anybody(family);

	if (p->mode != GATE_TUN)
		return;
	strcpy(who.iif, p->device);
	say(l, p, who, AT_DEVICE_END, 0);
	who.not_default = true;
	say(l, p, who, AT_DEVICE, p->table);
}

static void take_lans(struct rule_list *l, const struct gate_plan *p, uint8_t family)
{
	struct netlink_rule who = anybody(family);

	for (int i = 0; i < p->n_lans; i++) {
		strncpy(who.iif, p->lans[i], sizeof(who.iif) - 1);
		take(l, p, who, AT_LAN);
	}
}

static void pick_uids(struct rule_list *l, const struct gate_plan *p, uint8_t family)
{
	for (int i = 0; i < p->n_uids && p->pick != GATE_EVERYBODY; i++) {
		struct netlink_rule who = uids(family, p->uids[i].from, p->uids[i].to);
		if (p->pick == GATE_ONLY)
			take(l, p, who, AT_UID);
		else
			by_main(l, p, who, AT_UID);
	}
}

static void want_family(struct rule_list *l, const struct gate_plan *p, uint8_t family)
{
	by_main(l, p, marked(p, family, GATE_MARK_OWN), AT_OWN);
	by_main(l, p, marked(p, family, GATE_MARK_REPLY), AT_REPLY);
	by_main(l, p, marked(p, family, GATE_MARK_LEAVE), AT_LEAVE);
	if (p->plugin_uid)
		by_main(l, p, uids(family, p->plugin_uid, p->plugin_uid), AT_PLUGIN);
	device_answers(l, p, family);
	take_marked(l, p, family);
	take_lans(l, p, family);
	pick_uids(l, p, family);
	if (p->pick != GATE_ONLY)
		take(l, p, anybody(family), AT_ALL);
}

int gate_rules_want(const struct gate_plan *p, struct rule_list *l)
{
	want_family(l, p, AF_INET);
	if (gate_kernel_has_ipv6())
		want_family(l, p, AF_INET6);
	return l->no_memory ? -ENOMEM : 0;
}

static bool holds(const struct netlink_rule *at, int n, const struct netlink_rule *r)
{
	for (int i = 0; i < n; i++)
		if (netlink_same_rule(&at[i], r))
			return true;
	return false;
}

static int complain(int result, const char *what, const struct netlink_rule *r, char *err, size_t size)
{
	char words[GATE_WORDS];

	snprintf(err, size, "cannot %s the rule `%s` err=%s", what, gate_rule_words(r, words), err_name(result));
	return result;
}

/* In the order of the list: ours may pass before anything is taken, and what is taken is so by
 * one rule, whose table ends in unreachable, from one moment to the next. */
static int add_family(struct netlink *n, const struct rule_list *l, uint8_t family, int *put_back, char *err,
		      size_t size)
{
	struct netlink_rule *now;
	int n_now = netlink_list_rules(n, family, &now), result = 0;

	if (n_now < 0) {
		snprintf(err, size, "cannot read the policy rules err=%s", err_name(n_now));
		return n_now;
	}
	for (int i = 0; i < l->n && !result; i++) {
		if (l->at[i].family != family || holds(now, n_now, &l->at[i]))
			continue;
		result = netlink_add_rule(n, &l->at[i]);
		result = result == -EEXIST ? 0 : result;
		if (result)
			complain(result, "add", &l->at[i], err, size);
		else
			(*put_back)++;
	}
	free(now);
	return result;
}

int gate_rules_add(struct netlink *n, const struct rule_list *l, int *put_back, char *err, size_t size)
{
	int result = add_family(n, l, AF_INET, put_back, err, size);

	if (!result && gate_kernel_has_ipv6())
		result = add_family(n, l, AF_INET6, put_back, err, size);
	return result;
}

/* From the last to the first: what takes goes before what lets our own pass. */
static int sweep_family(struct netlink *n, const struct rule_list *keep, uint8_t family, char *err, size_t size)
{
	struct netlink_rule *now;
	int n_now = netlink_list_rules(n, family, &now), result = n_now < 0 ? n_now : 0, gone = 0;

	for (int i = n_now - 1; i >= 0; i--) {
		int one;
		if (now[i].protocol != GATE_PROTOCOL || (keep && holds(keep->at, keep->n, &now[i])))
			continue;
		one = netlink_del_rule(n, &now[i]);
		if (one && one != -ENOENT)
			result = complain(one, "remove", &now[i], err, size);
		else
			gone++;
	}
	free(now);
	return result ? result : gone;
}

int gate_rules_sweep(struct netlink *n, const struct rule_list *keep, char *err, size_t size)
{
	int gone = sweep_family(n, keep, AF_INET, err, size), gone6 = 0;

	if (gate_kernel_has_ipv6())
		gone6 = sweep_family(n, keep, AF_INET6, err, size);
	return gone < 0 ? gone : gone6 < 0 ? gone6 : gone + gone6;
}
