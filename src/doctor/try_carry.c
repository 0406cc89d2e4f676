/*
 * What a gate is for: does traffic come to who listens? In the network of a trial,
 * with a gate of mode TPROXY or REDIRECT built, a program connects to an address
 * that is nobody's, and what the kernel makes of it is compared with what `up`
 * relies on:
 *
 *	TCP	our listener gets the connection and learns where it was to go
 *	UDP	(TPROXY) our socket gets the datagram and learns the same; an answer
 *		in the name of that address comes to the program
 *
 * The network of the trial has one device with a default route on it: a TUN, or,
 * where there is none, lo, and then IPv4 alone is tried. Nothing leaves it.
 * No loop here: each step waits for its one socket.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "doctor/trials.h"
#include "io/socket_rules.h"
#include "sys/netlink.h"
#include "sys/tundev.h"

#define MTU 1400
#define STEP_MS 3000
#define ORIGINAL_DST 80 /* as io/tcp_before_nat.c, for its reason */

static const struct family {
	int family;
	const char *name;
	const char *self, *loopback, *nobody; /* addresses for documentation: RFC 5737, RFC 3849 */
	uint8_t prefix;
} families[] = {
	{ AF_INET, "IPv4", "192.0.2.2", "127.0.0.1", "198.51.100.1", 24 },
	{ AF_INET6, "IPv6", "2001:db8:6761::2", "::1", "2001:db8:6762::1", 64 },
};

struct trial {
	const struct gate_plan *plan;
	const struct family *f;
	struct addr listen, nobody;
	char *why;
	size_t size;
};

static int fail(const struct trial *t, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(const struct trial *t, int err, const char *fmt, ...)
{
	char what[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	snprintf(t->why, t->size, "%s: %s err=%s", t->f->name, what, err_name(err));
	return err;
}

/* --- the network --- */

static int add_family(struct netlink *nl, int device, const struct family *f)
{
	struct netlink_route way = {
		.family = (uint8_t)f->family, .type = RTN_UNICAST, .scope = RT_SCOPE_UNIVERSE, .protocol = RTPROT_STATIC,
		.table = RT_TABLE_MAIN, .oif = device,
	};
	struct addr self;
	int err;

	addr_parse_ip(f->self, 0, &self);
	err = netlink_add_addr(nl, device, &self, f->prefix);
	return err ? err : netlink_add_route(nl, &way);
}

int doctor_carry_network(struct doctor_carrier *c)
{
	struct tun_features features;
	struct netlink_link up = { .up = true };
	struct netlink nl;
	char why[DOCTOR_TEXT];
	int device, err = netlink_open(&nl);

	*c = (struct doctor_carrier){ .tun = -1, .families = 1 };
	if (err)
		return err;
	err = netlink_set_link(&nl, (int)if_nametoindex("lo"), &up);
	c->tun = tundev_open("doctor9", MTU, &features, why, sizeof(why));
	if (c->tun >= 0 && access("/proc/sys/net/ipv6", F_OK) == 0)
		c->families = 2;
	device = (int)if_nametoindex(c->tun >= 0 ? "doctor9" : "lo");
	if (!err)
		err = netlink_set_link(&nl, device, &up);
	if (!err)
		err = add_family(&nl, device, &families[0]);
	if (!err && c->families > 1 && add_family(&nl, device, &families[1]) != 0)
		c->families = 1; /* turned off on this machine */
	netlink_close(&nl);
	return err;
}

void doctor_carry_end(struct doctor_carrier *c)
{
	if (c->tun >= 0)
		close(c->tun);
	c->tun = -1;
}

/* --- its steps; descriptors, or -errno --- */

static int await(int fd, short what)
{
	struct pollfd p = { .fd = fd, .events = what };
	int n = poll(&p, 1, STEP_MS);

	return n > 0 ? 0 : n < 0 ? -errno : -ETIMEDOUT;
}

static int open_at(const struct trial *t, int type, const struct addr *at, bool transparent, uint32_t mark)
{
	struct socket_rules rules = { .fwmark = mark };
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(at, &ss);
	int fd = socket_rules_open(t->f->family, type, &rules), one = 1, err = 0;

	if (fd < 0)
		return fd;
	if (transparent)
		err = socket_rules_set_transparent(fd, t->f->family);
	if (!err && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		err = -errno;
	if (!err && (bind(fd, (struct sockaddr *)&ss, len) < 0 || (type == SOCK_STREAM && listen(fd, 4) < 0)))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* A program that knows nothing of gates. */
static int go_to(const struct addr *to, int type)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss);
	int fd = socket_rules_open(to->family, type, NULL), err = 0;

	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS)
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* --- TCP --- */

static struct addr original(const struct trial *t, int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = t->f->family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

	if (t->plan->mode == GATE_TPROXY)
		return addr_of_socket(fd);
	if (getsockopt(fd, t->f->family == AF_INET ? SOL_IP : SOL_IPV6, ORIGINAL_DST, &ss, &len) < 0)
		return (struct addr){ 0 };
	return addr_from_sockaddr((struct sockaddr *)&ss);
}

static int take_connection(const struct trial *t, int listener)
{
	struct addr to;
	int err = await(listener, POLLIN), fd = err ? err : accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (!err && fd < 0)
		err = -errno;
	if (err)
		return fail(t, err, "a connection does not come to who listens");
	to = original(t, fd);
	close(fd);
	if (!addr_equal(&to, &t->nobody))
		return fail(t, -EADDRNOTAVAIL, "a connection comes without a word of where it was to go");
	return 0;
}

static int carry_tcp(const struct trial *t)
{
	int listener = open_at(t, SOCK_STREAM, &t->listen, t->plan->mode == GATE_TPROXY, t->plan->mark), client, err;

	if (listener < 0)
		return fail(t, listener, "no socket may take connections in the name of others");
	client = go_to(&t->nobody, SOCK_STREAM);
	err = client < 0 ? fail(t, client, "a program cannot begin a connection") : take_connection(t, listener);
	if (client >= 0)
		close(client);
	close(listener);
	return err;
}

/* --- UDP --- */

static bool tells_target(const struct trial *t, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_ORIGDSTADDR)) {
			struct sockaddr_storage ss = { 0 };
			struct addr to;
			size_t len = c->cmsg_len - CMSG_LEN(0);

			memcpy(&ss, CMSG_DATA(c), len < sizeof(ss) ? len : sizeof(ss));
			to = addr_from_sockaddr((struct sockaddr *)&ss);
			return addr_equal(&to, &t->nobody);
		}
	}
	return false;
}

static int take_datagram(const struct trial *t, int fd, struct sockaddr_storage *from, socklen_t *from_len)
{
	char byte, control[256];
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_name = from, .msg_namelen = sizeof(*from), .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control, .msg_controllen = sizeof(control) };
	int err = await(fd, POLLIN);

	if (!err && recvmsg(fd, &m, 0) < 0)
		err = -errno;
	if (err)
		return fail(t, err, "a datagram does not come to who listens");
	*from_len = m.msg_namelen;
	return tells_target(t, &m) ? 0 : fail(t, -EADDRNOTAVAIL, "a datagram comes without a word of where it was to go");
}

static int answer(const struct trial *t, int client, const struct sockaddr_storage *from, socklen_t from_len)
{
	int fd = open_at(t, SOCK_DGRAM, &t->nobody, true, t->plan->mark), err;
	char byte = 'a';

	if (fd < 0)
		return fail(t, fd, "no socket may answer in the name of others");
	err = sendto(fd, &byte, 1, 0, (const struct sockaddr *)from, from_len) < 0 ? -errno : await(client, POLLIN);
	if (!err && recv(client, &byte, 1, 0) < 0)
		err = -errno;
	close(fd);
	return err ? fail(t, err, "an answer in the name of its target does not come to the program") : 0;
}

static int carry_udp(const struct trial *t)
{
	int listener = open_at(t, SOCK_DGRAM, &t->listen, true, 0), client, one = 1, err = 0;
	bool v4 = t->f->family == AF_INET;
	struct sockaddr_storage from;
	socklen_t from_len = 0;

	if (listener < 0)
		return fail(t, listener, "no socket may take datagrams in the name of others");
	client = go_to(&t->nobody, SOCK_DGRAM);
	if (setsockopt(listener, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVORIGDSTADDR : IPV6_RECVORIGDSTADDR, &one, sizeof(one)) < 0)
		err = fail(t, -errno, "a datagram's target cannot be learned");
	else if (client < 0 || send(client, "q", 1, 0) < 0)
		err = fail(t, client < 0 ? client : -errno, "a program cannot send a datagram");
	if (!err)
		err = take_datagram(t, listener, &from, &from_len);
	if (!err)
		err = answer(t, client, &from, from_len);
	if (client >= 0)
		close(client);
	close(listener);
	return err;
}

int doctor_carry(const struct doctor_carrier *c, const struct gate_plan *plan, char *why, size_t size)
{
	int n = plan->ipv6 ? c->families : 1, err = 0;

	for (int i = 0; i < n && !err; i++) {
		struct trial t = { .plan = plan, .f = &families[i], .why = why, .size = size };

		addr_parse_ip(t.f->loopback, plan->port, &t.listen);
		addr_parse_ip(t.f->nobody, 7, &t.nobody);
		err = carry_tcp(&t);
		if (!err && plan->mode == GATE_TPROXY)
			err = carry_udp(&t);
	}
	return err;
}
