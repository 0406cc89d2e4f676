/* See foreign_raw.h. A packet that is larger than the device takes is fragmented. */
#include "inbound/foreign_raw.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* It hears nothing of what comes in for its protocol. */
static int make_deaf(int fd)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog filter = { 1, &nothing };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ? -errno : 0;
}

static int configure(int fd, int family, int protocol, const struct socket_rules *rules)
{
	int err = make_deaf(fd);

	if (!err)
		err = socket_rules_apply(fd, rules);
	if (!err)
		err = socket_rules_set_transparent(fd, family);
	/* Of ICMPv6 the kernel knows by itself. */
	if (!err && family == AF_INET6 && protocol == IPPROTO_UDP)
		err = set_int(fd, IPPROTO_IPV6, IPV6_CHECKSUM, 6);
	if (!err && family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
	else if (!err)
		set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	return err;
}

int foreign_raw_open(int family, int protocol, const struct socket_rules *rules)
{
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol), err;

	if (fd < 0)
		return -errno;
	err = configure(fd, family, protocol, rules);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static void put_source(struct msghdr *h, const struct addr *from)
{
	struct in6_pktinfo v6 = { .ipi6_addr = from->ip.v6 };
	struct in_pktinfo v4 = { .ipi_spec_dst = from->ip.v4 };
	bool six = from->family == AF_INET6;
	struct cmsghdr *c = h->msg_control;

	c->cmsg_level = six ? IPPROTO_IPV6 : IPPROTO_IP;
	c->cmsg_type = six ? IPV6_PKTINFO : IP_PKTINFO;
	c->cmsg_len = six ? CMSG_LEN(sizeof(v6)) : CMSG_LEN(sizeof(v4));
	memcpy(CMSG_DATA(c), six ? (void *)&v6 : (void *)&v4, six ? sizeof(v6) : sizeof(v4));
	h->msg_controllen = six ? CMSG_SPACE(sizeof(v6)) : CMSG_SPACE(sizeof(v4));
}

int foreign_raw_send(int fd, const struct addr *from, const struct addr *to, struct iovec *iov, int n)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct addr host = *to;
	struct sockaddr_storage ss;
	struct msghdr h = { .msg_name = &ss, .msg_iov = iov, .msg_iovlen = (size_t)n, .msg_control = control };

	host.port = 0; /* a raw socket of IPv6 refuses any other */
	h.msg_namelen = addr_to_sockaddr(&host, &ss);
	put_source(&h, from);
	return sendmsg(fd, &h, MSG_DONTWAIT) < 0 ? -errno : 0;
}
