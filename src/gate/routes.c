/*
 * The routes of the plan's three tables.
 *
 *   table      what is near (near.c), then what is taken, then `unreachable` for
 *              what is taken, behind it: the TUN takes its routes with it when its
 *              last descriptor is closed, in whatever way, and then nothing leaves
 *   table + 1  the same without what is near: for port 53, and what is marked
 *   table + 2  `unreachable` alone, IPv4 (rules.c says whose question ends there)
 *
 * What is taken goes by the TUN, or, for TPROXY and REDIRECT, by lo as `local`: the
 * nft rules pick it up there, and where they were flushed it meets no listener
 * and is refused, instead of leaving by the uplink. Its source address is the
 * one that the main table would choose: the application sees what it would see
 * without us. A family that is not carried is unreachable at once.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/err.h"
#include "gate/parts.h"

#define METRIC6 1024 /* what the kernel makes of 0 */

void gate_route_put(struct route_list *l, const struct netlink_route *wanted)
{
	struct netlink_route r = *wanted;

	if (r.family == AF_INET6 && !r.metric)
		r.metric = METRIC6;
	for (int i = 0; i < l->n; i++)
		if (netlink_same_route(&l->at[i], &r))
			return;
	if (array_reserve(&l->at, &l->room, (size_t)l->n + 1, sizeof(*l->at)) < 0)
		l->no_memory = true;
	else
		l->at[l->n++] = r;
}

static struct netlink_route route_to(const struct gate_prefix *to, uint8_t type, uint32_t table)
{
	return (struct netlink_route){
		.family = (uint8_t)to->at.family, .type = type, .protocol = GATE_PROTOCOL, .table = table,
		.dst = to->at, .len = to->len,
	};
}

/* A mark that is led to the main table now: of an earlier gatun whose rules still stand before ours, too. */
static uint32_t main_mark(struct netlink *n, const struct gate_plan *p, uint8_t family)
{
	uint32_t mark = p->mark + GATE_MARK_OWN;
	struct netlink_rule *all;
	int count = netlink_list_rules(n, family, &all);

	for (int i = 0; i < count; i++) {
		if (all[i].protocol != GATE_PROTOCOL || all[i].table != RT_TABLE_MAIN || all[i].mask != UINT32_MAX)
			continue;
		mark = all[i].mark;
		break;
	}
	free(all);
	return mark;
}

int gate_find_by_main(struct netlink *n, const struct gate_plan *p, const struct addr *to, struct netlink_route *way)
{
	return netlink_find_way(n, to, main_mark(n, p, (uint8_t)to->family), way);
}

struct addr gate_usual_source(struct netlink *n, const struct gate_plan *p, uint8_t family)
{
	struct netlink_route by_main;
	struct addr anywhere;

	addr_parse_ip(family == AF_INET ? "1.1.1.1" : "2606:4700:4700::1111", 0, &anywhere);
	if (gate_find_by_main(n, p, &anywhere, &by_main) ||
	    (p->mode == GATE_TUN && by_main.oif == (int)if_nametoindex(p->device)))
		return (struct addr){ 0 };
	return by_main.source;
}

/* The way into the tunnel; false: there is none for this family now. */
static bool way_in(struct netlink *n, const struct gate_plan *p, uint8_t family, struct netlink_route *way)
{
	if (family == AF_INET6 && !p->ipv6)
		return false;
	/* Not link: rules.c says who must not find it. */
	*way = (struct netlink_route){ .type = RTN_UNICAST, .scope = RT_SCOPE_UNIVERSE };
	way->source = gate_usual_source(n, p, family);
	if (p->mode == GATE_TUN) {
		way->oif = (int)if_nametoindex(p->device);
		return way->oif;
	}
	way->type = RTN_LOCAL;
	way->scope = RT_SCOPE_HOST;
	way->oif = (int)if_nametoindex("lo");
	return way->source.family;
}

static void take(struct route_list *l, const struct gate_prefix *what, uint32_t table, const struct netlink_route *way)
{
	struct netlink_route last = route_to(what, RTN_UNREACHABLE, table), r;

	last.metric = GATE_LAST_METRIC;
	gate_route_put(l, &last);
	if (!way)
		return;
	r = route_to(what, way->type, table);
	r.scope = way->scope;
	r.oif = way->oif;
	r.source = way->source;
	gate_route_put(l, &r);
}

static void want_family(struct netlink *n, const struct gate_plan *p, uint8_t family, struct route_list *l)
{
	const struct gate_prefix everything = { .at.family = family };
	struct netlink_route way, *in = way_in(n, p, family, &way) ? &way : NULL;

	for (int i = 0; i < p->n_routes; i++)
		if (p->routes[i].at.family == family)
			take(l, &p->routes[i], p->table, in);
	if (!p->n_routes)
		take(l, &everything, p->table, in);
	if (p->dns || p->mode != GATE_TUN)
		take(l, &everything, p->table + 1, in);
	if (!p->n_routes && family == AF_INET)
		take(l, &everything, p->table + 2, NULL);
}

int gate_routes_want(struct netlink *n, const struct gate_plan *p, const struct near_list *near, struct route_list *l)
{
	want_family(n, p, AF_INET, l);
	if (gate_kernel_has_ipv6())
		want_family(n, p, AF_INET6, l);
	for (int i = 0; i < near->routes.n; i++)
		gate_route_put(l, &near->routes.at[i]);
	return l->no_memory ? -ENOMEM : 0;
}

static bool holds(const struct netlink_route *at, int n, const struct netlink_route *r)
{
	for (int i = 0; i < n; i++)
		if (netlink_same_route(&at[i], r))
			return true;
	return false;
}

static int complain(int result, const char *what, const struct netlink_route *r, char *err, size_t size)
{
	char words[GATE_WORDS];

	snprintf(err, size, "cannot %s the route `%s` err=%s", what, gate_route_words(r, words), err_name(result));
	return result;
}

static int list_ours(struct netlink *n, uint8_t family, struct netlink_route **now, char *err, size_t size)
{
	int count = netlink_list_routes(n, family, 0, GATE_PROTOCOL, now);

	if (count < 0)
		snprintf(err, size, "cannot read the routes err=%s", err_name(count));
	return count;
}

/* A link that is going while we look takes its routes with it: the kernel's next word brings us back. */
static bool is_gone(int result, const struct netlink_route *r)
{
	return (result == -ENODEV || result == -ENETDOWN || result == -ENETUNREACH || result == -EINVAL) &&
	       r->type == RTN_UNICAST && r->len;
}

static int add_family(struct netlink *n, const struct route_list *l, uint8_t family, int *put_back, char *err,
		      size_t size)
{
	struct netlink_route *now;
	int n_now = list_ours(n, family, &now, err, size), result = n_now < 0 ? n_now : 0;

	for (int i = 0; i < l->n && !result; i++) {
		const struct netlink_route *r = &l->at[i];
		if (r->family != family || holds(now, n_now, r))
			continue;
		result = netlink_add_route(n, r);
		if (result == -EEXIST || is_gone(result, r))
			result = 0;
		else if (result)
			complain(result, "add", r, err, size);
		else
			(*put_back)++;
	}
	free(now);
	return result;
}

int gate_routes_add(struct netlink *n, const struct route_list *l, int *put_back, char *err, size_t size)
{
	int result = add_family(n, l, AF_INET, put_back, err, size);

	if (!result && gate_kernel_has_ipv6())
		result = add_family(n, l, AF_INET6, put_back, err, size);
	return result;
}

static int sweep_family(struct netlink *n, const struct route_list *keep, uint8_t family, char *err, size_t size)
{
	struct netlink_route *now;
	int n_now = list_ours(n, family, &now, err, size), result = n_now < 0 ? n_now : 0, gone = 0;

	for (int i = 0; i < n_now; i++) {
		int one;
		if (keep && holds(keep->at, keep->n, &now[i]))
			continue;
		one = netlink_del_route(n, &now[i]);
		if (one && one != -ESRCH && one != -ENOENT)
			result = complain(one, "remove", &now[i], err, size);
		else
			gone++;
	}
	free(now);
	return result ? result : gone;
}

int gate_routes_sweep(struct netlink *n, const struct route_list *keep, char *err, size_t size)
{
	int gone = sweep_family(n, keep, AF_INET, err, size), gone6 = 0;

	if (gate_kernel_has_ipv6())
		gone6 = sweep_family(n, keep, AF_INET6, err, size);
	return gone < 0 ? gone : gone6 < 0 ? gone6 : gone + gone6;
}
