/*
 * rtnetlink by libmnl. Every request carries NLM_F_ACK and is waited for, so
 * that a failure is an errno at its call and not a surprise later. IPv6
 * addresses get IFA_F_NODAD: on a TUN nobody else can hold them, and a
 * tentative address would make the command's first second fail.
 */
#include "sys/netlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "sys/netlink_impl.h"

#define DUMP_TRIES 20

int netlink_open(struct netlink *n)
{
	int on = 1;

	n->seq = 1;
	n->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!n->socket)
		return -errno;
	if (mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int err = -errno;
		netlink_close(n);
		return err;
	}
	/* Dumps of one table, where the kernel can (4.20); we look at each answer ourselves, too. */
	mnl_socket_setsockopt(n->socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return 0;
}

void netlink_close(struct netlink *n)
{
	if (n->socket)
		mnl_socket_close(n->socket);
	n->socket = NULL;
}

struct nlmsghdr *netlink_request(struct netlink *n, char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = n->seq++;
	return h;
}

/* A dump that was cut short leaves the rest of it in the socket. */
static int begin_anew(struct netlink *n)
{
	unsigned seq = n->seq;
	int err;

	netlink_close(n);
	err = netlink_open(n);
	n->seq = seq;
	return err ? err : -EINTR;
}

int netlink_ask(struct netlink *n, const struct nlmsghdr *h, mnl_cb_t each, void *arg)
{
	char answer[32768]; /* what the kernel fills at most */
	unsigned port = mnl_socket_get_portid(n->socket);
	int more = 1, err;

	if (mnl_socket_sendto(n->socket, h, h->nlmsg_len) < 0)
		return -errno;
	while (more > 0) {
		ssize_t len = mnl_socket_recvfrom(n->socket, answer, sizeof(answer));
		if (len < 0)
			return -errno;
		more = mnl_cb_run(answer, (size_t)len, h->nlmsg_seq, port, each, arg);
	}
	err = more < 0 ? -errno : 0;
	return err == -EINTR ? begin_anew(n) : err;
}

int netlink_dump(struct netlink *n, const struct nlmsghdr *h, mnl_cb_t each, void (*reset)(void *), void *arg)
{
	char again[NETLINK_REQUEST_SIZE] __attribute__((aligned(8)));
	int err = -EINTR;

	for (int i = 0; i < DUMP_TRIES && err == -EINTR; i++) {
		memcpy(again, h, h->nlmsg_len);
		((struct nlmsghdr *)again)->nlmsg_seq = n->seq++;
		reset(arg);
		err = netlink_ask(n, (struct nlmsghdr *)again, each, arg);
	}
	return err == -ENOENT ? 0 : err;
}

static int keep_attr(const struct nlattr *attr, void *arg)
{
	struct netlink_attrs *attrs = arg;
	uint16_t type = mnl_attr_get_type(attr);

	if (type < sizeof(attrs->at) / sizeof(attrs->at[0]))
		attrs->at[type] = attr;
	return MNL_CB_OK;
}

void netlink_parse(const struct nlmsghdr *h, size_t header_size, struct netlink_attrs *attrs)
{
	memset(attrs, 0, sizeof(*attrs));
	if (mnl_nlmsg_get_payload_len(h) >= header_size)
		mnl_attr_parse(h, (unsigned)header_size, keep_attr, attrs);
}

uint32_t netlink_u32(const struct netlink_attrs *attrs, int type, uint32_t otherwise)
{
	const struct nlattr *attr = attrs->at[type];

	return attr && mnl_attr_get_payload_len(attr) == 4 ? mnl_attr_get_u32(attr) : otherwise;
}

uint8_t netlink_u8(const struct netlink_attrs *attrs, int type)
{
	const struct nlattr *attr = attrs->at[type];

	return attr && mnl_attr_get_payload_len(attr) == 1 ? mnl_attr_get_u8(attr) : 0;
}

struct addr netlink_ip(const struct netlink_attrs *attrs, int type, int family)
{
	const struct nlattr *attr = attrs->at[type];
	struct addr none = { 0 };
	uint16_t len = attr ? mnl_attr_get_payload_len(attr) : 0;

	if (family == AF_INET && len == 4)
		return addr_v4(mnl_attr_get_payload(attr), 0);
	if (family == AF_INET6 && len == 16) {
		none.family = AF_INET6;
		memcpy(none.ip.bytes, mnl_attr_get_payload(attr), 16);
	}
	return none;
}

void netlink_put_ip(struct nlmsghdr *h, int type, const struct addr *a)
{
	mnl_attr_put(h, (uint16_t)type, addr_ip_len(a), a->ip.bytes);
}

int netlink_set_link(struct netlink *n, int ifindex, const struct netlink_link *link)
{
	char buf[NETLINK_REQUEST_SIZE];
	struct nlmsghdr *h = netlink_request(n, buf, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifi_family = AF_UNSPEC;
	m->ifi_index = ifindex;
	if (link->up)
		m->ifi_flags = m->ifi_change = IFF_UP;
	if (link->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, (uint32_t)link->mtu);
	if (link->txqueuelen)
		mnl_attr_put_u32(h, IFLA_TXQLEN, (uint32_t)link->txqueuelen);
	return netlink_ask(n, h, NULL, NULL);
}

static int add_addr(struct netlink *n, int ifindex, const struct addr *a, int prefix_len, uint32_t flags)
{
	char buf[NETLINK_REQUEST_SIZE];
	struct nlmsghdr *h = netlink_request(n, buf, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifa_family = (uint8_t)a->family;
	m->ifa_prefixlen = (uint8_t)prefix_len;
	m->ifa_scope = RT_SCOPE_UNIVERSE;
	m->ifa_index = (unsigned)ifindex;
	mnl_attr_put_u32(h, IFA_FLAGS, flags | (a->family == AF_INET6 ? IFA_F_NODAD : 0));
	netlink_put_ip(h, IFA_LOCAL, a);
	netlink_put_ip(h, IFA_ADDRESS, a);
	return netlink_ask(n, h, NULL, NULL);
}

int netlink_add_addr(struct netlink *n, int ifindex, const struct addr *a, int prefix_len)
{
	return add_addr(n, ifindex, a, prefix_len, 0);
}

int netlink_add_addr_alone(struct netlink *n, int ifindex, const struct addr *a, int prefix_len)
{
	return add_addr(n, ifindex, a, prefix_len, IFA_F_NOPREFIXROUTE);
}

int netlink_add_default_route(struct netlink *n, int ifindex, const struct addr *gateway, const struct addr *self)
{
	struct netlink_route r = {
		.family = (uint8_t)gateway->family, .type = RTN_UNICAST, .scope = RT_SCOPE_UNIVERSE,
		.protocol = RTPROT_STATIC, .table = RT_TABLE_MAIN, .oif = ifindex,
		.gateway = *gateway, .source = *self,
	};

	return netlink_add_route(n, &r);
}
