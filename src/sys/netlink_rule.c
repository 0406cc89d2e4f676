/*
 * Policy rules by rtnetlink. Of what a rule may select by we make only what
 * struct netlink_rule holds; of a foreign one that selects by more we know
 * that it does.
 */
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "sys/netlink_impl.h"

#define NO_PREFIX UINT32_MAX /* what the kernel tells where nothing is suppressed */

struct listing {
	struct netlink_rule *at;
	int n, family;
	uint32_t room;
};

static int change(struct netlink *n, uint16_t type, uint16_t flags, const struct netlink_rule *r)
{
	char buf[NETLINK_REQUEST_SIZE] __attribute__((aligned(8)));
	struct nlmsghdr *h = netlink_request(n, buf, type, NLM_F_ACK | flags);
	struct fib_rule_hdr *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	struct fib_rule_uid_range uids = { r->uid_from, r->uid_to };
	struct fib_rule_port_range ports = { r->port_from, r->port_to };

	m->family = r->family;
	m->action = r->action;
	mnl_attr_put_u32(h, FRA_PRIORITY, r->priority);
	mnl_attr_put_u8(h, FRA_PROTOCOL, r->protocol);
	if (r->table)
		mnl_attr_put_u32(h, FRA_TABLE, r->table);
	if (r->mask) {
		mnl_attr_put_u32(h, FRA_FWMARK, r->mark);
		mnl_attr_put_u32(h, FRA_FWMASK, r->mask);
	}
	if (r->iif[0])
		mnl_attr_put_strz(h, FRA_IIFNAME, r->iif);
	if (r->uids)
		mnl_attr_put(h, FRA_UID_RANGE, sizeof(uids), &uids);
	if (r->ip_protocol)
		mnl_attr_put_u8(h, FRA_IP_PROTO, r->ip_protocol);
	if (r->port_from)
		mnl_attr_put(h, FRA_DPORT_RANGE, sizeof(ports), &ports);
	if (r->not_default)
		mnl_attr_put_u32(h, FRA_SUPPRESS_PREFIXLEN, 0);
	return netlink_ask(n, h, NULL, NULL);
}

int netlink_add_rule(struct netlink *n, const struct netlink_rule *r)
{
	return change(n, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, r);
}

int netlink_del_rule(struct netlink *n, const struct netlink_rule *r)
{
	return change(n, RTM_DELRULE, 0, r);
}

static bool has(const struct netlink_attrs *attrs, int type, void *out, size_t size)
{
	const struct nlattr *a = attrs->at[type];

	if (!a || mnl_attr_get_payload_len(a) != size)
		return false;
	memcpy(out, mnl_attr_get_payload(a), size);
	return true;
}

static void read_name(const struct netlink_attrs *attrs, int type, char name[IFNAMSIZ])
{
	const struct nlattr *a = attrs->at[type];
	size_t len = a ? mnl_attr_get_payload_len(a) : 0;

	if (len > 0 && len <= IFNAMSIZ) {
		memcpy(name, mnl_attr_get_payload(a), len);
		name[IFNAMSIZ - 1] = 0;
	}
}

static bool selects_by_more(const struct fib_rule_hdr *m, const struct netlink_attrs *attrs)
{
	static const int others[] = { FRA_OIFNAME, FRA_FLOW, FRA_TUN_ID, FRA_L3MDEV, FRA_SPORT_RANGE };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (attrs->at[others[i]])
			return true;
	return m->src_len || m->dst_len || m->tos;
}

static void read_rule(const struct fib_rule_hdr *m, const struct netlink_attrs *attrs, struct netlink_rule *r)
{
	struct fib_rule_uid_range uids = { 0, 0 };
	struct fib_rule_port_range ports = { 0, 0 };

	r->family = m->family;
	r->action = m->action;
	r->table = netlink_u32(attrs, FRA_TABLE, m->table);
	r->priority = netlink_u32(attrs, FRA_PRIORITY, 0);
	r->protocol = netlink_u8(attrs, FRA_PROTOCOL);
	r->mark = netlink_u32(attrs, FRA_FWMARK, 0);
	r->mask = netlink_u32(attrs, FRA_FWMASK, r->mark ? UINT32_MAX : 0);
	r->ip_protocol = netlink_u8(attrs, FRA_IP_PROTO);
	r->uids = has(attrs, FRA_UID_RANGE, &uids, sizeof(uids));
	r->uid_from = uids.start;
	r->uid_to = uids.end;
	has(attrs, FRA_DPORT_RANGE, &ports, sizeof(ports));
	r->port_from = ports.start;
	r->port_to = ports.end;
	r->not_default = netlink_u32(attrs, FRA_SUPPRESS_PREFIXLEN, NO_PREFIX) == 0;
	r->inverted = m->flags & FIB_RULE_INVERT;
	r->narrower = selects_by_more(m, attrs);
	read_name(attrs, FRA_IIFNAME, r->iif);
}

static int keep(const struct nlmsghdr *h, void *arg)
{
	const struct fib_rule_hdr *m = mnl_nlmsg_get_payload(h);
	struct listing *l = arg;
	struct netlink_attrs attrs;

	if (h->nlmsg_type != RTM_NEWRULE || mnl_nlmsg_get_payload_len(h) < sizeof(*m) || m->family != l->family)
		return MNL_CB_OK;
	if (array_reserve(&l->at, &l->room, (size_t)l->n + 1, sizeof(*l->at)) < 0)
		return MNL_CB_ERROR; /* errno is realloc's */
	netlink_parse(h, sizeof(*m), &attrs);
	memset(&l->at[l->n], 0, sizeof(l->at[0]));
	read_rule(m, &attrs, &l->at[l->n++]);
	return MNL_CB_OK;
}

static void forget(void *arg)
{
	((struct listing *)arg)->n = 0;
}

int netlink_list_rules(struct netlink *n, int family, struct netlink_rule **rules)
{
	char buf[NETLINK_REQUEST_SIZE] __attribute__((aligned(8)));
	struct listing l = { .family = family };
	struct nlmsghdr *h = netlink_request(n, buf, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	int err;

	m->family = (uint8_t)family;
	err = netlink_dump(n, h, keep, forget, &l);
	if (err) {
		free(l.at);
		*rules = NULL;
		return err;
	}
	*rules = l.at;
	return l.n;
}

bool netlink_same_rule(const struct netlink_rule *a, const struct netlink_rule *b)
{
	return a->family == b->family && a->action == b->action && a->protocol == b->protocol &&
	       a->priority == b->priority && a->table == b->table && a->mark == b->mark && a->mask == b->mask &&
	       strcmp(a->iif, b->iif) == 0 && a->uids == b->uids && a->uid_from == b->uid_from &&
	       a->uid_to == b->uid_to && a->ip_protocol == b->ip_protocol && a->port_from == b->port_from &&
	       a->port_to == b->port_to && a->not_default == b->not_default && a->inverted == b->inverted &&
	       a->narrower == b->narrower;
}
