/*
 * UDP sockets: life, receiving, and the error queue. Sending is udp_send.c.
 *
 * Receiving: edge-triggered, one recvmmsg of up to 32 messages per turn; with
 * UDP_GRO a message may hold up to 64 KiB of equal datagrams of one sender.
 * More than that per turn gained nothing and would starve the others. The
 * message headers stand in a pool buffer for the time of one batch: an idle
 * socket keeps nothing but its struct.
 *
 * Errors: IP_RECVERR makes every ICMP error an entry of the error queue, and
 * also the result of the next call on the socket, which then did nothing: that
 * call is repeated. Datagrams may be fragmented on the way (PMTUDISC_DONT):
 * what fits no packet of the path was not ours to forbid.
 */
#include "io/udp_socket.h"

#include <assert.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/datagram_counters.h"
#include "io/kept.h"
#include "io/udp_internal.h"
#include "io/udp_slots.h"

#define CONTROL_SIZE 128 /* GRO size and one pktinfo of each family */
#define ERROR_BATCH 64

struct udp_socket_counters udp_socket_counters;
struct datagram_counters datagram_counters;

/* ---- receiving ---- */

/* In a pool buffer while a batch is received. */
struct rx {
	struct mmsghdr headers[UDP_RECEIVE_BATCH];
	struct iovec iov[UDP_RECEIVE_BATCH];
	struct sockaddr_in6 names[UDP_RECEIVE_BATCH];
	struct udp_message messages[UDP_RECEIVE_BATCH];
	struct buf *slots[UDP_RECEIVE_BATCH];
	_Alignas(struct cmsghdr) uint8_t control[UDP_RECEIVE_BATCH][CONTROL_SIZE];
};
static_assert(sizeof(struct rx) <= BUF_MEDIUM, "the scratch of a batch fits a pool buffer");

static void prepare_headers(struct rx *rx, int n)
{
	for (int i = 0; i < n; i++) {
		struct msghdr *h = &rx->headers[i].msg_hdr;

		rx->iov[i] = (struct iovec){ rx->slots[i]->data, UDP_SLOT_SIZE };
		*h = (struct msghdr){
			.msg_name = &rx->names[i],
			.msg_namelen = sizeof(rx->names[i]),
			.msg_iov = &rx->iov[i],
			.msg_iovlen = 1,
			.msg_control = rx->control[i],
			.msg_controllen = CONTROL_SIZE,
		};
	}
}

static void parse_control(struct msghdr *h, struct udp_message *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			int size;
			memcpy(&size, CMSG_DATA(c), sizeof(size));
			if (size > 0 && (uint32_t)size < m->payload.len)
				m->segment = (uint16_t)size;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			const struct in_pktinfo *p = (const struct in_pktinfo *)CMSG_DATA(c);
			m->local = addr_v4(&p->ipi_spec_dst, 0);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			const struct in6_pktinfo *p = (const struct in6_pktinfo *)CMSG_DATA(c);
			m->local = addr_v6(&p->ipi6_addr, 0);
		} else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR) ||
			   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_ORIGDSTADDR)) {
			m->local = addr_from_sockaddr((const struct sockaddr *)(const void *)CMSG_DATA(c));
		}
	}
}

/* Messages 0..n-1 were received; those cut short are left out. Returns how many remain. */
static int collect_messages(struct rx *rx, int n)
{
	int kept = 0;

	for (int i = 0; i < n; i++) {
		struct msghdr *h = &rx->headers[i].msg_hdr;
		struct udp_message *m = &rx->messages[kept];

		if (h->msg_flags & MSG_TRUNC) {
			buf_unref(rx->slots[i]);
			continue;
		}
		m->peer = addr_from_sockaddr((struct sockaddr *)&rx->names[i]);
		m->local.family = 0;
		m->payload = (struct slice){ rx->slots[i], 0, rx->headers[i].msg_len };
		m->segment = 0;
		parse_control(h, m);
		udp_socket_counters.rx_datagrams += m->segment ? (m->payload.len + m->segment - 1) / m->segment : 1;
		kept++;
	}
	return kept;
}

static int receive_into_slots(struct udp_socket *s, struct rx *rx, int slots)
{
	int n;

	prepare_headers(rx, slots);
	/* A pending ICMP error is reported once instead of data. */
	for (int tries = 0; tries < 8; tries++) {
		n = recvmmsg(s->io.fd, rx->headers, (unsigned)slots, MSG_DONTWAIT, NULL);
		if (n >= 0 || errno == EAGAIN)
			return n < 0 ? 0 : n;
		udp_errors_read(s);
		if (s->closed)
			return 0;
	}
	return 0;
}

static void receive_batch(struct udp_socket *s, struct rx *rx)
{
	int slots = udp_slots_take(rx->slots, UDP_RECEIVE_BATCH);
	int n = slots ? receive_into_slots(s, rx, slots) : 0;

	/* The untouched ones go back first, below those that are warm. */
	for (int i = slots - 1; i >= n; i--)
		buf_unref(rx->slots[i]);
	if (n == slots && !s->closed)
		loop_again(&s->io, LOOP_READ);
	n = collect_messages(rx, n);
	if (n && !s->closed)
		s->events->receive(s->owner, rx->messages, n);
	for (int i = 0; i < n; i++)
		buf_unref(rx->messages[i].payload.buf);
}

static void on_ready(struct loop_io *io, unsigned events)
{
	struct udp_socket *s = container_of(io, struct udp_socket, io);

	struct buf *scratch;

	if (events & LOOP_ERROR)
		udp_errors_read(s);
	if (s->closed)
		return;
	scratch = buf_get(sizeof(struct rx));
	if (!scratch) {
		loop_again(io, LOOP_READ);
		return;
	}
	receive_batch(s, (struct rx *)(void *)scratch->data);
	buf_unref(scratch);
}

/* ---- the error queue ---- */

static void tell_error(struct udp_socket *s, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		struct sock_extended_err e;
		struct addr remote = { 0 };

		if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) &&
		    !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		if (e.ee_origin != SO_EE_ORIGIN_ICMP && e.ee_origin != SO_EE_ORIGIN_ICMP6)
			continue;
		if (h->msg_namelen >= sizeof(struct sockaddr_in))
			remote = addr_from_sockaddr(h->msg_name);
		if (e.ee_errno == ECONNREFUSED)
			udp_socket_counters.closed_port++;
		else
			udp_socket_counters.other_errors++;
		if (s->events->error)
			s->events->error(s->owner, (int)e.ee_errno, &remote);
	}
}

void udp_errors_read(struct udp_socket *s)
{
	for (int i = 0; i < ERROR_BATCH && !s->closed; i++) {
		_Alignas(struct cmsghdr) uint8_t control[512];
		struct sockaddr_in6 name;
		uint8_t payload[64];
		struct iovec iov = { payload, sizeof(payload) };
		struct msghdr h = {
			.msg_name = &name,
			.msg_namelen = sizeof(name),
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};

		if (recvmsg(s->io.fd, &h, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		tell_error(s, &h);
	}
}

/* ---- life ---- */

static void set_int(int fd, int level, int name, int value)
{
	setsockopt(fd, level, name, &value, sizeof(value));
}

static void set_buffers(int fd, uint32_t bytes)
{
	int size = (int)bytes;

	if (!bytes)
		return;
	/* Beyond rmem_max and wmem_max only with CAP_NET_ADMIN. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* Both families on a socket of ::, which gets each in its own words. */
static int set_original(int fd, uint16_t family)
{
	int one = 1;

	if (setsockopt(fd, IPPROTO_IP, IP_RECVORIGDSTADDR, &one, sizeof(one)) < 0 && family == AF_INET)
		return -errno;
	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, &one, sizeof(one)) < 0)
		return -errno;
	return 0;
}

/* What must hold. */
static int set_redirection(int fd, const struct udp_socket_options *o, uint16_t family)
{
	int err = o->transparent ? socket_rules_set_transparent(fd, family) : 0;

	if (!err && o->original)
		err = set_original(fd, family);
	if (!err && o->transparent && !o->listens)
		set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	return err;
}

static void set_options(int fd, const struct udp_socket_options *o, uint16_t family)
{
	bool whole = o->rules && o->rules->no_fragments, only = o->listens && socket_rules_only_v6(SOCK_DGRAM, o->bind);

	set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, whole ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
	set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
	if (family == AF_INET6) {
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, only);
		set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, whole ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT);
		set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
	}
	if (o->pktinfo && family == AF_INET)
		set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
	if (o->pktinfo && family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	set_int(fd, SOL_UDP, UDP_GRO, 1);
	set_buffers(fd, o->buffer);
}

static int bind_and_connect(int fd, const struct udp_socket_options *o, uint16_t family)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int err = o->bind ? 0 : socket_rules_bind(fd, family, o->rules);

	if (err)
		return err;
	if (o->bind) {
		len = addr_to_sockaddr(o->bind, &ss);
		if (bind(fd, (struct sockaddr *)&ss, len) < 0)
			return -errno;
	}
	if (o->connect) {
		len = addr_to_sockaddr(o->connect, &ss);
		if (connect(fd, (struct sockaddr *)&ss, len) < 0)
			return -errno;
	}
	return 0;
}

static uint16_t family_of(const struct udp_socket_options *o)
{
	return o->bind ? o->bind->family : o->connect ? o->connect->family : o->family;
}

static int open_fd(const void *context, bool shared)
{
	const struct udp_socket_options *o = context;
	uint16_t family = family_of(o);
	int fd = socket_rules_open(family, SOCK_DGRAM, o->rules), err;

	if (fd < 0)
		return fd;
	if (shared)
		set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	set_options(fd, o, family);
	err = set_redirection(fd, o, family);
	if (!err)
		err = bind_and_connect(fd, o, family);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

struct udp_socket *udp_socket_open(const struct udp_socket_options *o, const struct udp_socket_events *events, void *owner, int *err)
{
	struct udp_socket *s = calloc(1, sizeof(*s));
	int fd = !s ? -ENOMEM : o->listens ? kept_open(SOCK_DGRAM, o->bind, open_fd, o) : open_fd(o, false);

	if (fd < 0) {
		*err = -fd;
		free(s);
		return NULL;
	}
	s->events = events;
	s->owner = owner;
	s->family = family_of(o);
	s->listens = o->listens;
	s->connected = o->connect != NULL;
	s->pktinfo = o->pktinfo;
	s->segment_max = UINT16_MAX;
	*err = -loop_io_start_read(&s->io, fd, on_ready);
	if (*err) {
		close(fd);
		free(s);
		return NULL;
	}
	if (!o->listens)
		own_socket_add(&s->own, SOCK_DGRAM, fd, NULL);
	return s;
}

static void free_socket(struct loop_work *w)
{
	free(container_of(w, struct udp_socket, work));
}

static void forget_kept(const struct udp_socket *s)
{
	struct addr at = udp_socket_addr(s);

	kept_close(SOCK_DGRAM, &at);
}

void udp_socket_close(struct udp_socket *s)
{
	udp_socket_flush(s);
	s->closed = true;
	own_socket_remove(&s->own);
	loop_io_stop(&s->io);
	if (s->listens)
		forget_kept(s);
	close(s->io.fd);
	loop_defer(&s->work, free_socket);
}

struct addr udp_socket_addr(const struct udp_socket *s)
{
	return addr_of_socket(s->io.fd);
}

void udp_socket_set_path(struct udp_socket *s, uint16_t mtu)
{
	if (s->family == AF_INET6)
		set_int(s->io.fd, IPPROTO_IPV6, IPV6_MTU, mtu);
}

int udp_socket_take_error(struct udp_socket *s)
{
	int err = s->last_error;

	s->last_error = 0;
	return err;
}
