/*
 * rtnetlink by libmnl. Every request carries NLM_F_ACK and is waited for, so
 * that a failure is an errno at its call and not a surprise later. IPv6
 * addresses get IFA_F_NODAD: on a TUN nobody else can hold them, and a
 * tentative address would make the command's first second fail.
 */
#include "sys/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#define REQUEST_SIZE 1024 /* our largest request is under 100 bytes */

int netlink_open(struct netlink *n)
{
	n->seq = 1;
	n->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!n->socket)
		return -errno;
	if (mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int err = -errno;
		netlink_close(n);
		return err;
	}
	return 0;
}

void netlink_close(struct netlink *n)
{
	if (n->socket)
		mnl_socket_close(n->socket);
	n->socket = NULL;
}

static struct nlmsghdr *request(struct netlink *n, char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	h->nlmsg_seq = n->seq++;
	return h;
}

static int ask(struct netlink *n, const struct nlmsghdr *h)
{
	char answer[8192];
	unsigned port = mnl_socket_get_portid(n->socket);
	int more = 1;

	if (mnl_socket_sendto(n->socket, h, h->nlmsg_len) < 0)
		return -errno;
	while (more > 0) {
		ssize_t len = mnl_socket_recvfrom(n->socket, answer, sizeof(answer));
		if (len < 0)
			return -errno;
		more = mnl_cb_run(answer, (size_t)len, h->nlmsg_seq, port, NULL, NULL);
	}
	return more < 0 ? -errno : 0;
}

int netlink_set_link(struct netlink *n, int ifindex, const struct netlink_link *link)
{
	char buf[REQUEST_SIZE];
	struct nlmsghdr *h = request(n, buf, RTM_NEWLINK, 0);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifi_family = AF_UNSPEC;
	m->ifi_index = ifindex;
	if (link->up)
		m->ifi_flags = m->ifi_change = IFF_UP;
	if (link->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, (uint32_t)link->mtu);
	if (link->txqueuelen)
		mnl_attr_put_u32(h, IFLA_TXQLEN, (uint32_t)link->txqueuelen);
	return ask(n, h);
}

int netlink_add_addr(struct netlink *n, int ifindex, const struct addr *a, int prefix_len)
{
	char buf[REQUEST_SIZE];
	struct nlmsghdr *h = request(n, buf, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifa_family = (uint8_t)a->family;
	m->ifa_prefixlen = (uint8_t)prefix_len;
	m->ifa_scope = RT_SCOPE_UNIVERSE;
	m->ifa_index = (unsigned)ifindex;
	if (a->family == AF_INET6)
		m->ifa_flags = IFA_F_NODAD;
	mnl_attr_put(h, IFA_LOCAL, addr_ip_len(a), a->ip.bytes);
	mnl_attr_put(h, IFA_ADDRESS, addr_ip_len(a), a->ip.bytes);
	return ask(n, h);
}

int netlink_add_default_route(struct netlink *n, int ifindex, const struct addr *gateway, const struct addr *self)
{
	char buf[REQUEST_SIZE];
	struct nlmsghdr *h = request(n, buf, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->rtm_family = (uint8_t)gateway->family;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	mnl_attr_put(h, RTA_GATEWAY, addr_ip_len(gateway), gateway->ip.bytes);
	mnl_attr_put(h, RTA_PREFSRC, addr_ip_len(self), self->ip.bytes);
	mnl_attr_put_u32(h, RTA_OIF, (uint32_t)ifindex);
	return ask(n, h);
}
