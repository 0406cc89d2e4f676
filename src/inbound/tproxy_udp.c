/*
 * UDP by TPROXY. In: batches from the listeners; beside each datagram the kernel
 * tells where it was to go (IP_RECVORIGDSTADDR), which is its target. The client's
 * address is the association, so any remote may answer it (full cone), and with
 * several workers on one port the kernel's hash, which sees the client's address
 * and port alone, keeps a client with its worker.
 *
 * Out: by sockets that speak in the name of the remote (foreign_udp.c). What goes
 * nowhere, or is longer than the outbound carries, is told by ICMP, in the name of
 * the remote as well (foreign_icmp.c).
 *
 * A datagram to the listener itself has no target and is dropped, as is one to a
 * group of hosts, from whom no answer would be understood.
 */
#include "inbound/tproxy_udp.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "inbound/foreign_icmp.h"
#include "inbound/foreign_udp.h"
#include "inbound/own_address.h"
#include "inbound/packet.h"
#include "io/datagram_counters.h"
#include "io/udp_socket.h"

#define SOCKET_BUFFER (4u * 1024 * 1024)

struct tproxy_udp {
	struct datagram_port port;
	struct udp_socket *listeners[TPROXY_UDP_LISTENERS];
	uint16_t ports[TPROXY_UDP_LISTENERS]; /* bound */
	int n;
	uint32_t max_payload;
	struct foreign_udp *answers;
	struct foreign_icmp errors;
};

static struct tproxy_udp *of(struct datagram_port *p)
{
	return container_of(p, struct tproxy_udp, port);
}

/* ---- in ---- */

/* In a pool buffer while a batch is handed over. */
struct rx {
	struct datagram batch[UDP_RECEIVE_BATCH];
	struct target targets[UDP_RECEIVE_BATCH];
};
static_assert(sizeof(struct rx) <= BUF_MEDIUM, "the scratch of a batch fits a pool buffer");

static bool is_ours(const struct tproxy_udp *t, const struct addr *to)
{
	for (int i = 0; i < t->n; i++)
		if (to->port == t->ports[i])
			return own_address(to);
	return false;
}

static bool has_target(const struct tproxy_udp *t, const struct udp_message *m)
{
	const struct addr *to = &m->local;

	if (!to->family || !to->port || to->family != m->peer.family) {
		datagram_counters.malformed++;
		return false;
	}
	if (!packet_is_unicast(to) || is_ours(t, to)) {
		datagram_counters.dropped_acl++;
		return false;
	}
	return true;
}

/* IPv4's total length has 16 bits; IPv6's payload alone has, and a limit beyond is told as these. */
static uint16_t limit_for(const struct tproxy_udp *t, uint16_t family)
{
	uint32_t limit = t->max_payload + PACKET_UDP_HEADER + (family == AF_INET ? PACKET_IP4_HEADER : PACKET_IP6_HEADER);

	return limit < UINT16_MAX ? (uint16_t)limit : UINT16_MAX;
}

static bool fits(struct tproxy_udp *t, const struct udp_message *m)
{
	uint32_t size = m->segment ? m->segment : m->payload.len;

	if (size <= t->max_payload)
		return true;
	datagram_counters.too_big++;
	foreign_icmp_send(&t->errors, &m->peer, &m->local, size, ICMP_TOO_BIG, limit_for(t, m->peer.family));
	return false;
}

static void on_receive(void *owner, const struct udp_message *m, int n)
{
	struct tproxy_udp *t = owner;
	struct buf *scratch = buf_get(sizeof(struct rx));
	struct rx *rx;
	int count = 0;

	if (!scratch) {
		datagram_counters.dropped_queue += (unsigned)n;
		return;
	}
	rx = (struct rx *)(void *)scratch->data;
	for (int i = 0; i < n && i < UDP_RECEIVE_BATCH; i++) {
		if (!has_target(t, &m[i]) || !fits(t, &m[i]))
			continue;
		target_from_addr(&rx->targets[count], &m[i].local);
		rx->batch[count] = (struct datagram){
			.key = { .addr = m[i].peer }, .remote = &rx->targets[count], .payload = m[i].payload, .segment = m[i].segment
		};
		count++;
	}
	if (count)
		t->port.events->receive(t->port.owner, rx->batch, count);
	buf_unref(scratch);
}

static const struct udp_socket_events listener_events = { on_receive, NULL };

/* ---- out ---- */

static void tproxy_send(struct datagram_port *port, const struct datagram *d, int n)
{
	struct tproxy_udp *t = of(port);

	for (int i = 0; i < n; i++) {
		struct udp_outgoing o = {
			.remote = &d[i].key.addr, .local = &d[i].remote->ip, .flow = d[i].key.addr.port, .payload = d[i].payload, .segment = d[i].segment
		};

		/* An answer of the other family, or by name, has no way back. */
		if (d[i].remote->ip.family != d[i].key.addr.family || !d[i].remote->ip.port)
			datagram_counters.malformed++;
		else
			foreign_udp_send(t->answers, &o);
	}
}

static void tproxy_refuse(struct datagram_port *port, const struct datagram *d, enum flow_end why)
{
	const struct addr *from = &d->key.addr, *to = &d->remote->ip;

	if (!target_is_name(d->remote) && to->family == from->family && packet_is_unicast(to))
		foreign_icmp_send(&of(port)->errors, from, to, d->segment ? d->segment : d->payload.len, icmp_error_reason(why), 0);
}

static void tproxy_end(struct datagram_port *port, enum flow_end why)
{
	(void)port, (void)why; /* an inbound is freed by its owner */
}

static const struct datagram_port_ops tproxy_ops = { .send = tproxy_send, .end = tproxy_end, .refuse = tproxy_refuse };

/* ---- life ---- */

/* 0 or the errno. */
static int open_listener(struct tproxy_udp *t, const struct addr *at)
{
	struct udp_socket_options o = {
		.bind = at, .listens = true, .original = true, .transparent = true, .buffer = SOCKET_BUFFER
	};
	int err = 0;
	struct udp_socket *s = udp_socket_open(&o, &listener_events, t, &err);

	if (!s)
		return err;
	t->ports[t->n] = udp_socket_addr(s).port;
	t->listeners[t->n++] = s;
	return 0;
}

struct tproxy_udp *tproxy_udp_new(const struct addr *listen, int n, uint32_t mark, uint32_t max_payload, int *err)
{
	struct tproxy_udp *t = calloc(1, sizeof(*t));

	*err = ENOMEM;
	if (!t)
		return NULL;
	assert(n > 0 && n <= TPROXY_UDP_LISTENERS);
	t->port.ops = &tproxy_ops;
	t->max_payload = max_payload;
	foreign_icmp_init(&t->errors, mark);
	t->answers = foreign_udp_new(mark);
	*err = t->answers ? 0 : ENOMEM;
	for (int i = 0; i < n && !*err; i++)
		*err = open_listener(t, &listen[i]);
	if (!*err)
		return t;
	tproxy_udp_free(t);
	return NULL;
}

void tproxy_udp_free(struct tproxy_udp *t)
{
	for (int i = 0; i < t->n; i++)
		udp_socket_close(t->listeners[i]);
	if (t->answers)
		foreign_udp_free(t->answers);
	foreign_icmp_close(&t->errors);
	free(t);
}

struct datagram_port *tproxy_udp_port(struct tproxy_udp *t)
{
	return &t->port;
}
