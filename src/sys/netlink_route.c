/*
 * Routes by rtnetlink: added, taken out, listed, and asked for.
 *
 * A listing is read whole before anybody acts on it, and once more when the
 * table changed while it was read. What an answer holds is checked before it
 * is believed: a length that does not fit its type is as good as none.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "sys/netlink_impl.h"

struct listing {
	struct netlink_route *at;
	int n;
	uint32_t room;
	uint32_t table;
	uint8_t family, protocol;
};

static void put_gateway(struct nlmsghdr *h, const struct netlink_route *r)
{
	struct {
		uint16_t family;
		uint8_t ip[16];
	} __attribute__((packed)) via = { .family = r->gateway.family };

	if (r->gateway.family == r->family) {
		netlink_put_ip(h, RTA_GATEWAY, &r->gateway);
		return;
	}
	memcpy(via.ip, r->gateway.ip.bytes, sizeof(via.ip));
	mnl_attr_put(h, RTA_VIA, 2 + addr_ip_len(&r->gateway), &via);
}

static int change(struct netlink *n, uint16_t type, uint16_t flags, const struct netlink_route *r)
{
	char buf[NETLINK_REQUEST_SIZE] __attribute__((aligned(8)));
	struct nlmsghdr *h = netlink_request(n, buf, type, NLM_F_ACK | flags);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->rtm_family = r->family;
	m->rtm_dst_len = r->len;
	m->rtm_protocol = r->protocol;
	m->rtm_scope = r->scope;
	m->rtm_type = r->type;
	m->rtm_table = RT_TABLE_UNSPEC; /* the attribute holds it: a header's has no room for ours */
	mnl_attr_put_u32(h, RTA_TABLE, r->table);
	if (r->len)
		netlink_put_ip(h, RTA_DST, &r->dst);
	if (r->gateway.family)
		put_gateway(h, r);
	if (r->source.family)
		netlink_put_ip(h, RTA_PREFSRC, &r->source);
	if (r->oif)
		mnl_attr_put_u32(h, RTA_OIF, (uint32_t)r->oif);
	if (r->metric)
		mnl_attr_put_u32(h, RTA_PRIORITY, r->metric);
	return netlink_ask(n, h, NULL, NULL);
}

int netlink_add_route(struct netlink *n, const struct netlink_route *r)
{
	return change(n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, r);
}

int netlink_del_route(struct netlink *n, const struct netlink_route *r)
{
	return change(n, RTM_DELROUTE, 0, r);
}

/* The first next hop of several. */
static void read_first_hop(const struct nlattr *several, struct netlink_route *r)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(several);
	size_t len = mnl_attr_get_payload_len(several);
	struct netlink_attrs its = { 0 };
	const struct nlattr *attr;

	if (len < sizeof(*hop) || hop->rtnh_len < sizeof(*hop) || hop->rtnh_len > len)
		return;
	mnl_attr_for_each_payload((void *)(hop + 1), hop->rtnh_len - sizeof(*hop))
		if (mnl_attr_get_type(attr) == RTA_GATEWAY)
			its.at[RTA_GATEWAY] = attr;
	r->oif = hop->rtnh_ifindex;
	r->dead = hop->rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN);
	r->gateway = netlink_ip(&its, RTA_GATEWAY, r->family);
}

static void read_via(const struct nlattr *attr, struct netlink_route *r)
{
	const uint8_t *via = mnl_attr_get_payload(attr);
	uint16_t len = mnl_attr_get_payload_len(attr), family = 0;

	if (len < sizeof(family))
		return;
	memcpy(&family, via, sizeof(family));
	if (family == AF_INET6 && len == sizeof(family) + 16) {
		r->gateway.family = AF_INET6;
		memcpy(r->gateway.ip.bytes, via + sizeof(family), 16);
	}
}

/* False: this is not a route. */
static bool read_route(const struct nlmsghdr *h, struct netlink_route *r)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct netlink_attrs attrs;

	memset(r, 0, sizeof(*r));
	if (h->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(h) < sizeof(*m) || (m->rtm_flags & RTM_F_CLONED))
		return false;
	if (m->rtm_family != AF_INET && m->rtm_family != AF_INET6)
		return false;
	netlink_parse(h, sizeof(*m), &attrs);
	r->family = m->rtm_family;
	r->type = m->rtm_type;
	r->scope = m->rtm_scope;
	r->protocol = m->rtm_protocol;
	r->len = m->rtm_dst_len;
	r->dead = m->rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN);
	r->table = netlink_u32(&attrs, RTA_TABLE, m->rtm_table);
	r->metric = netlink_u32(&attrs, RTA_PRIORITY, 0);
	r->oif = (int)netlink_u32(&attrs, RTA_OIF, 0);
	r->dst = netlink_ip(&attrs, RTA_DST, r->family);
	r->gateway = netlink_ip(&attrs, RTA_GATEWAY, r->family);
	r->source = netlink_ip(&attrs, RTA_PREFSRC, r->family);
	if (attrs.at[RTA_VIA])
		read_via(attrs.at[RTA_VIA], r);
	if (attrs.at[RTA_MULTIPATH])
		read_first_hop(attrs.at[RTA_MULTIPATH], r);
	if (!r->dst.family) {
		r->dst.family = r->family;
		if (r->len)
			return false;
	}
	return r->len <= 8 * addr_ip_len(&r->dst);
}

static int keep(const struct nlmsghdr *h, void *arg)
{
	struct listing *l = arg;
	struct netlink_route r;

	if (!read_route(h, &r) || r.family != l->family || (l->table && r.table != l->table) ||
	    (l->protocol && r.protocol != l->protocol))
		return MNL_CB_OK;
	if (array_reserve(&l->at, &l->room, (size_t)l->n + 1, sizeof(*l->at)) < 0)
		return MNL_CB_ERROR; /* errno is realloc's */
	l->at[l->n++] = r;
	return MNL_CB_OK;
}

static void forget(void *arg)
{
	((struct listing *)arg)->n = 0;
}

int netlink_list_routes(struct netlink *n, int family, uint32_t table, uint8_t protocol, struct netlink_route **routes)
{
	char buf[NETLINK_REQUEST_SIZE] __attribute__((aligned(8)));
	struct listing l = { .table = table, .family = (uint8_t)family, .protocol = protocol };
	struct nlmsghdr *h = netlink_request(n, buf, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	int err;

	m->rtm_family = (uint8_t)family;
	m->rtm_protocol = protocol;
	if (table)
		mnl_attr_put_u32(h, RTA_TABLE, table);
	err = netlink_dump(n, h, keep, forget, &l);
	if (err) {
		free(l.at);
		*routes = NULL;
		return err;
	}
	*routes = l.at;
	return l.n;
}

static int take_way(const struct nlmsghdr *h, void *arg)
{
	struct rtmsg *m = mnl_nlmsg_get_payload(h);

	if (mnl_nlmsg_get_payload_len(h) >= sizeof(*m))
		m->rtm_flags &= ~(unsigned)RTM_F_CLONED; /* an answer for one address is always such a one */
	read_route(h, arg);
	return MNL_CB_OK;
}

int netlink_find_way(struct netlink *n, const struct addr *to, uint32_t mark, struct netlink_route *r)
{
	char buf[NETLINK_REQUEST_SIZE] __attribute__((aligned(8)));
	struct nlmsghdr *h = netlink_request(n, buf, RTM_GETROUTE, NLM_F_ACK);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	int err;

	memset(r, 0, sizeof(*r));
	m->rtm_family = (uint8_t)to->family;
	m->rtm_dst_len = (uint8_t)(8 * addr_ip_len(to));
	netlink_put_ip(h, RTA_DST, to);
	if (mark)
		mnl_attr_put_u32(h, RTA_MARK, mark);
	err = netlink_ask(n, h, take_way, r);
	return err ? err : r->family ? 0 : -ENETUNREACH;
}

bool netlink_same_route(const struct netlink_route *a, const struct netlink_route *b)
{
	bool goes = a->type == RTN_UNICAST || a->type == RTN_LOCAL;

	if (a->family != b->family || a->type != b->type || a->table != b->table || a->len != b->len ||
	    a->protocol != b->protocol || a->metric != b->metric || !addr_ip_equal(&a->dst, &b->dst))
		return false;
	return !goes || (a->oif == b->oif && addr_ip_equal(&a->gateway, &b->gateway) &&
			 addr_ip_equal(&a->source, &b->source));
}
