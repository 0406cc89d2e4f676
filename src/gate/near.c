/*
 * What is near: the prefixes that are on this machine's links, and --exclude.
 * They are what may leave by the uplink as it is, so they are chosen narrowly.
 *
 * A link prefix is one that the kernel itself made of an address (`proto kernel`,
 * no gateway; for IPv6 also what a router said is on the link, `proto ra`). That
 * is copied with its device and source address. Routes of DHCP, of people and of
 * daemons are not: they are how TunnelVision works (option 121). The same trick
 * with the netmask alone (an address 10.0.0.9/1 makes half of the Internet "on
 * link"; TunnelCrack's LocalNet attack) is stopped by a bound on the width: no link has
 * more than a /8 of private or a /16 of public addresses, or more than a /48; and none has
 * the addresses that stand for names here, or connections to names would go to it in clear.
 *
 * An exclude takes the way that the main table has for it now, and with it every
 * more specific route inside: whoever excludes 10.0.0.0/8 wants his four sites by
 * their four gateways. Without any way it is unreachable, as it would be without
 * us, and not in the tunnel, where he did not want it.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gate/parts.h"
#include "sys/listening.h"

static const struct gate_prefix private_space[] = {
	{ { AF_INET, 0, { { 10 } } }, 8 },
	{ { AF_INET, 0, { { 172, 16 } } }, 12 },
	{ { AF_INET, 0, { { 192, 168 } } }, 16 },
	{ { AF_INET, 0, { { 169, 254 } } }, 16 },
	{ { AF_INET, 0, { { 100, 64 } } }, 10 },
	{ { AF_INET, 0, { { 198, 18 } } }, 15 },
	{ { AF_INET6, 0, { { 0xfc } } }, 7 },
	{ { AF_INET6, 0, { { 0xfe, 0x80 } } }, 10 },
};

/* What never is anybody's but this link's: mDNS, DHCP, routers' and neighbours' words. */
static const struct gate_prefix everywhere[] = {
	{ { AF_INET, 0, { { 224 } } }, 24 },
	{ { AF_INET, 0, { { 255, 255, 255, 255 } } }, 32 },
	{ { AF_INET6, 0, { { 0xff, 0x02 } } }, 16 },
};

bool gate_prefix_holds(const struct gate_prefix *p, const struct addr *a)
{
	unsigned whole = p->len / 8, rest = p->len % 8;

	if (p->at.family != a->family || memcmp(p->at.ip.bytes, a->ip.bytes, whole) != 0)
		return false;
	return !rest || ((p->at.ip.bytes[whole] ^ a->ip.bytes[whole]) >> (8 - rest)) == 0;
}

static bool lies_in(const struct gate_prefix *outer, const struct gate_prefix *inner)
{
	return outer->len <= inner->len && gate_prefix_holds(outer, &inner->at);
}

bool gate_near_is_credible(const struct gate_plan *plan, const struct gate_prefix *p)
{
	for (size_t i = 0; i < sizeof(plan->fakes) / sizeof(plan->fakes[0]); i++)
		if (lies_in(&plan->fakes[i], p) || lies_in(p, &plan->fakes[i]))
			return false;
	for (size_t i = 0; i < sizeof(private_space) / sizeof(private_space[0]); i++)
		if (lies_in(&private_space[i], p))
			return true;
	return p->len >= (p->at.family == AF_INET ? 16 : 48);
}

/* nft wants no prefix twice, nor one inside another. */
static int add_prefix(struct near_list *l, const struct gate_prefix *p)
{
	struct gate_prefix *more;
	int kept = 0;

	for (int i = 0; i < l->n; i++)
		if (lies_in(&l->prefixes[i], p))
			return 0;
	for (int i = 0; i < l->n; i++)
		if (!lies_in(p, &l->prefixes[i]))
			l->prefixes[kept++] = l->prefixes[i];
	l->n = kept;
	more = reallocarray(l->prefixes, (size_t)l->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	l->prefixes = more;
	l->prefixes[l->n++] = *p;
	return 0;
}

static void copy_route(const struct gate_plan *p, struct near_list *l, const struct netlink_route *r)
{
	struct netlink_route copy = *r;

	copy.table = p->table;
	copy.protocol = GATE_PROTOCOL;
	gate_route_put(&l->routes, &copy);
}

static bool is_link_prefix(const struct netlink_route *r, int device)
{
	if (r->type != RTN_UNICAST || r->gateway.family || r->dead || !r->len || !r->oif || r->oif == device ||
	    r->oif == (int)if_nametoindex("lo"))
		return false;
	return r->family == AF_INET6 || r->scope == RT_SCOPE_LINK;
}

static int read_links(struct netlink *n, const struct gate_plan *p, int family, uint8_t protocol, struct near_list *l)
{
	int device = p->mode == GATE_TUN ? (int)if_nametoindex(p->device) : 0, err = 0;
	struct netlink_route *all;
	int count = netlink_list_routes(n, family, RT_TABLE_MAIN, protocol, &all);

	for (int i = 0; i < count && !err; i++) {
		struct gate_prefix prefix = { all[i].dst, all[i].len };
		if (!is_link_prefix(&all[i], device))
			continue;
		if (!gate_near_is_credible(p, &prefix)) {
			l->refused++;
			continue;
		}
		copy_route(p, l, &all[i]);
		err = add_prefix(l, &prefix);
	}
	free(all);
	return count < 0 ? count : err;
}

/* The narrowest route of main that holds all of the prefix; of equals the one that is asked first. */
static const struct netlink_route *way_of(const struct netlink_route *all, int n, const struct gate_prefix *p)
{
	const struct netlink_route *best = NULL;

	for (int i = 0; i < n; i++) {
		struct gate_prefix r = { all[i].dst, all[i].len };
		if (all[i].dead || all[i].family != p->at.family || !lies_in(&r, p))
			continue;
		if (!best || all[i].len > best->len || (all[i].len == best->len && all[i].metric < best->metric))
			best = &all[i];
	}
	return best;
}

static void copy_exclude(const struct gate_plan *p, struct near_list *l, const struct gate_prefix *what,
			 const struct netlink_route *all, int n)
{
	const struct netlink_route *way = way_of(all, n, what);
	struct netlink_route r = { .family = (uint8_t)what->at.family, .type = RTN_UNREACHABLE };

	if (way)
		r = *way;
	r.dst = what->at;
	r.len = what->len;
	r.metric = 0;
	copy_route(p, l, &r);
	for (int i = 0; i < n; i++) {
		struct gate_prefix inside = { all[i].dst, all[i].len };
		if (!all[i].dead && inside.len > what->len && lies_in(what, &inside))
			copy_route(p, l, &all[i]);
	}
}

static int read_excludes(struct netlink *n, const struct gate_plan *p, int family, struct near_list *l)
{
	struct netlink_route *all;
	int count = netlink_list_routes(n, family, RT_TABLE_MAIN, 0, &all), err = 0;

	for (int i = 0; i < p->n_excludes && count >= 0 && !err; i++) {
		if (p->excludes[i].at.family != family)
			continue;
		copy_exclude(p, l, &p->excludes[i], all, count);
		err = add_prefix(l, &p->excludes[i]);
	}
	free(all);
	return count < 0 ? count : err;
}

/* IPv4's words to everybody on the link go where main would send them; wider multicast nowhere.
 * For IPv6 the table `local` has all of ff00::/8, and a hop limit of 1 by default. */
static void copy_multicast(struct netlink *n, const struct gate_plan *p, struct near_list *l)
{
	struct netlink_route way, r = { .family = AF_INET, .type = RTN_UNREACHABLE };
	struct addr mdns;

	addr_parse_ip("224.0.0.251", 0, &mdns);
	if (gate_find_by_main(n, p, &mdns, &way) == 0 && way.oif) {
		r.type = RTN_UNICAST;
		r.scope = RT_SCOPE_LINK;
		r.oif = way.oif;
		r.source = way.source;
	}
	for (size_t i = 0; i < sizeof(everywhere) / sizeof(everywhere[0]); i++) {
		r.dst = everywhere[i].at;
		r.len = everywhere[i].len;
		if (r.dst.family == AF_INET)
			copy_route(p, l, &r);
	}
	r = (struct netlink_route){ .family = AF_INET, .type = RTN_UNREACHABLE, .dst = everywhere[0].at, .len = 4 };
	copy_route(p, l, &r);
}

static int add_everywhere(struct near_list *l)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(everywhere) / sizeof(everywhere[0]) && !err; i++)
		if (everywhere[i].at.family == AF_INET || gate_kernel_has_ipv6())
			err = add_prefix(l, &everywhere[i]);
	return err;
}

static int read_family(struct netlink *n, const struct gate_plan *p, int family, struct near_list *l)
{
	int err = read_links(n, p, family, RTPROT_KERNEL, l);

	if (!err && family == AF_INET6)
		err = read_links(n, p, family, RTPROT_RA, l);
	return err || !p->n_excludes ? err : read_excludes(n, p, family, l);
}

int gate_near_read(struct netlink *n, const struct gate_plan *p, struct near_list *l)
{
	int err;

	memset(l, 0, sizeof(*l));
	err = read_family(n, p, AF_INET, l);
	if (!err && gate_kernel_has_ipv6())
		err = read_family(n, p, AF_INET6, l);
	if (!err)
		err = add_everywhere(l);
	if (err)
		return err;
	copy_multicast(n, p, l);
	return l->routes.no_memory ? -ENOMEM : 0;
}

struct gate_near gate_near_of(const struct near_list *l, struct gate_ports *ports)
{
	struct gate_near near = { .prefixes = l->prefixes, .n = l->n, .listening = ports->listening, .serving = ports->serving };
	int listening = sys_listening_ports(ports->listening, GATE_LISTENING_MAX);
	int serving = sys_kernel_udp_ports(ports->serving, GATE_SERVING_MAX);

	near.n_listening = listening < 0 ? 0 : listening;
	near.n_serving = serving < 0 ? 0 : serving;
	near.settled = time(NULL) + GATE_SETTLE_S;
	sys_ephemeral_ports(&near.ephemeral_from, &near.ephemeral_to);
	return near;
}

void gate_near_free(struct near_list *l)
{
	free(l->routes.at);
	free(l->prefixes);
	memset(l, 0, sizeof(*l));
}
