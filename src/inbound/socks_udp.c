/*
 * Datagrams of SOCKS5 associations.
 *
 * An association is made by a control connection and knows its client's host.
 * Its port is known at once when the request named the client's own address and
 * a port; else the first datagram from that host which belongs to no other
 * association fixes it (many clients put the target, or zeros, into the
 * request). So several associations of one host share the socket, and a
 * datagram from a host without an open association goes nowhere: this is no
 * open relay.
 *
 *	unbound (found by the host) ──first datagram──► bound (found by host and port)
 *
 * The table's key is the client's address and the association's number, so that
 * a late reply never reaches a later association of the same port.
 *
 * Fragments: one queue per association, made when one comes, 10 s of life, at
 * most FRAGS_MAX of them at a time.
 */
#include "inbound/socks_udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/list.h"
#include "io/datagram_counters.h"
#include "io/udp_socket.h"
#include "loop/loop.h"
#include "proto/socks.h"
#include "proto/socks_frag.h"

#define SOCKET_BUFFER (4u * 1024 * 1024)
#define ASSOCIATIONS_MAX 16384u
#define FRAG_MS 10000u
#define FRAGS_MAX 64u
#define SWEEP_MS 1000u

struct socks_association {
	struct socks_udp *udp;
	struct hash_node node; /* in `bound`, or in `unbound` */
	struct addr client;    /* port 0 while unbound */
	struct addr local;     /* the address of ours that it sent to */
	uint64_t number;
	bool used; /* the table has heard of it */
	struct buf *frag_buf;
	struct socks_frag frag;
	uint64_t frag_due_ms;
	struct list frag_node; /* in the order of frag_due_ms */
};

struct socks_udp {
	struct datagram_port port;
	struct udp_socket *socket;
	struct hash bound, unbound;
	uint64_t last_number;
	void (*closed)(void *owner, const struct assoc_key *);
	void *closed_owner;
	struct list frags;
	unsigned n_frags;
	struct loop_timer sweep;
};

static struct socks_udp *of(struct datagram_port *p)
{
	return container_of(p, struct socks_udp, port);
}

/* ---- who sends ---- */

static struct socks_association *find(const struct hash *h, const struct addr *a)
{
	uint64_t value = addr_hash(a);

	for (struct hash_node *n = hash_first(h, value); n; n = hash_next(n, value)) {
		struct socks_association *s = container_of(n, struct socks_association, node);
		if (addr_equal(&s->client, a))
			return s;
	}
	return NULL;
}

static struct hash *table_of(struct socks_association *a)
{
	return a->client.port ? &a->udp->bound : &a->udp->unbound;
}

static void fix_port(struct socks_association *a, uint16_t port)
{
	hash_remove(&a->udp->unbound, &a->node);
	a->client.port = port;
	hash_insert(&a->udp->bound, &a->node, addr_hash(&a->client));
}

static struct socks_association *association_of(struct socks_udp *u, const struct addr *peer)
{
	struct socks_association *a = find(&u->bound, peer);
	struct addr host = *peer;

	if (a)
		return a;
	host.port = 0;
	a = find(&u->unbound, &host);
	if (a)
		fix_port(a, peer->port);
	return a;
}

static struct assoc_key key_of(const struct socks_association *a)
{
	return (struct assoc_key){ .addr = a->client, .session = a->number };
}

/* ---- fragments ---- */

static void drop_frags(struct socks_association *a)
{
	if (!a->frag_buf)
		return;
	if (socks_frag_reset(&a->frag))
		datagram_counters.fragment_timeouts++;
	buf_unref(a->frag_buf);
	a->frag_buf = NULL;
	list_remove(&a->frag_node);
	a->udp->n_frags--;
}

static void on_sweep(struct loop_timer *t)
{
	struct socks_udp *u = container_of(t, struct socks_udp, sweep);

	list_for_each_safe (it, &u->frags) {
		struct socks_association *a = container_of(it, struct socks_association, frag_node);

		if (a->frag_due_ms > loop_now())
			break;
		drop_frags(a);
	}
	if (u->n_frags)
		loop_timer_start(t, SWEEP_MS, on_sweep);
}

static bool want_frags(struct socks_association *a)
{
	struct socks_udp *u = a->udp;

	if (a->frag_buf)
		return true;
	if (u->n_frags >= FRAGS_MAX)
		drop_frags(container_of(u->frags.next, struct socks_association, frag_node));
	a->frag_buf = buf_get(SOCKS_FRAG_DATA_MAX);
	if (!a->frag_buf)
		return false;
	a->frag = (struct socks_frag){ .data = a->frag_buf->data };
	a->frag_due_ms = loop_now() + FRAG_MS;
	list_append(&u->frags, &a->frag_node);
	u->n_frags++;
	if (!loop_timer_armed(&u->sweep))
		loop_timer_start(&u->sweep, SWEEP_MS, on_sweep);
	return true;
}

static void hand_up(struct socks_association *a, const struct target *target, struct slice payload)
{
	struct datagram d = { .key = key_of(a), .remote = target, .local = a->local.family ? &a->local : NULL, .payload = payload };

	a->used = true;
	a->udp->port.events->receive(a->udp->port.owner, &d, 1);
}

static void take_fragment(struct socks_association *a, const struct socks_datagram *h, const uint8_t *data, size_t len)
{
	datagram_counters.fragments++;
	if (!want_frags(a)) {
		datagram_counters.dropped_queue++;
		return;
	}
	switch (socks_frag_add(&a->frag, h->frag, &h->target, data, len)) {
	case SOCKS_FRAG_MORE:
		break;
	case SOCKS_FRAG_ABANDONED:
		datagram_counters.fragment_timeouts++;
		drop_frags(a);
		break;
	case SOCKS_FRAG_WHOLE:
		hand_up(a, &a->frag.target, (struct slice){ a->frag_buf, 0, a->frag.len });
		socks_frag_reset(&a->frag); /* it is complete: nothing was lost */
		drop_frags(a);
		break;
	}
}

/* ---- receiving ---- */

static void take(struct socks_udp *u, const struct udp_message *m, uint32_t off, uint32_t len)
{
	const uint8_t *in = slice_data(&m->payload) + off;
	struct socks_association *a;
	struct socks_datagram h;

	if (socks_read_datagram(in, len, &h) != 0 || !target_port(&h.target)) {
		datagram_counters.malformed++;
		return;
	}
	a = association_of(u, &m->peer);
	if (!a) {
		datagram_counters.dropped_acl++;
		return;
	}
	a->local = m->local;
	if (h.frag)
		take_fragment(a, &h, in + h.header_len, len - h.header_len);
	else
		hand_up(a, &h.target, (struct slice){ m->payload.buf, m->payload.off + off + (uint32_t)h.header_len,
						      len - (uint32_t)h.header_len });
}

static void on_receive(void *owner, const struct udp_message *m, int n)
{
	for (int i = 0; i < n; i++) {
		uint32_t step = m[i].segment ? m[i].segment : m[i].payload.len, off = 0;

		do {
			uint32_t left = m[i].payload.len - off, len = left < step ? left : step;

			take(owner, &m[i], off, len);
			off += len;
		} while (off < m[i].payload.len);
	}
}

static const struct udp_socket_events socket_events = { on_receive, NULL };

/* ---- replies ---- */

/* Header and datagram, back to back for each segment, in one new buffer; as many
 * as fit. Returns the bytes of `d` that were taken. */
static uint32_t pack(const struct datagram *d, uint32_t from, const uint8_t *header, uint32_t header_len, struct slice *out)
{
	uint32_t step = d->segment ? d->segment : d->payload.len, left = d->payload.len - from, at = from;
	uint32_t pieces = d->segment ? (left + step - 1) / step : 1, fit = UDP_PAYLOAD_MAX / (header_len + step);

	if (fit == 0)
		return 0;
	if (pieces > fit)
		pieces = fit;
	out->buf = buf_get(pieces * (header_len + step));
	if (!out->buf)
		return 0;
	out->off = out->len = 0;
	for (uint32_t i = 0; i < pieces; i++) {
		uint32_t len = d->payload.len - at < step ? d->payload.len - at : step;

		memcpy(out->buf->data + out->len, header, header_len);
		memcpy(out->buf->data + out->len + header_len, slice_data(&d->payload) + at, len);
		out->len += header_len + len;
		at += len;
	}
	return at - from;
}

static void reply(struct socks_udp *u, const struct socks_association *a, const struct datagram *d)
{
	uint8_t header[SOCKS_UDP_HEADER_MAX];
	uint32_t header_len = (uint32_t)socks_write_datagram_header(header, d->remote), at = 0;
	struct udp_outgoing o = { .remote = &a->client, .local = a->local.family ? &a->local : NULL, .flow = (uint32_t)a->number };

	do {
		uint32_t taken = pack(d, at, header, header_len, &o.payload);

		if (!taken && (d->payload.len || !o.payload.buf)) {
			datagram_counters.too_big++;
			return;
		}
		o.segment = d->segment && taken > d->segment ? (uint16_t)(header_len + d->segment) : 0;
		udp_socket_send(u->socket, &o);
		buf_unref(o.payload.buf);
		at += taken;
	} while (at < d->payload.len);
}

static void socks_send(struct datagram_port *port, const struct datagram *d, int n)
{
	struct socks_udp *u = of(port);

	for (int i = 0; i < n; i++) {
		struct socks_association *a = find(&u->bound, &d[i].key.addr);

		if (a && a->number == d[i].key.session)
			reply(u, a, &d[i]);
	}
}

static void socks_end(struct datagram_port *port, enum flow_end why)
{
	(void)port, (void)why; /* an inbound is freed by its owner */
}

/* An association that the table forgot comes back with its next datagram:
 * as long as the control connection stands the client may send. */
static const struct datagram_port_ops socks_ops = { .send = socks_send, .end = socks_end };

/* ---- associations ---- */

struct socks_association *socks_udp_open(struct socks_udp *u, const struct addr *client, const struct target *announced)
{
	bool own = !target_is_name(announced) && announced->ip.port && addr_ip_equal(&announced->ip, client);
	struct socks_association *a;

	if (u->bound.count + u->unbound.count >= ASSOCIATIONS_MAX)
		return NULL;
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->udp = u;
	a->client = *client;
	a->client.port = 0;
	a->number = ++u->last_number;
	list_init(&a->frag_node);
	if (own && !find(&u->bound, &announced->ip))
		a->client.port = announced->ip.port;
	hash_insert(table_of(a), &a->node, addr_hash(&a->client));
	return a;
}

void socks_udp_close(struct socks_association *a)
{
	struct assoc_key key = key_of(a);
	struct socks_udp *u = a->udp;

	drop_frags(a);
	hash_remove(table_of(a), &a->node);
	if (a->used && u->closed)
		u->closed(u->closed_owner, &key);
	free(a);
}

void socks_udp_on_close(struct socks_udp *u, void (*closed)(void *owner, const struct assoc_key *), void *owner)
{
	u->closed = closed;
	u->closed_owner = owner;
}

/* ---- life ---- */

static int open_all(struct socks_udp *u, const struct addr *listen)
{
	struct udp_socket_options o = { .bind = listen, .listens = true, .pktinfo = true, .buffer = SOCKET_BUFFER };
	int err = hash_init(&u->bound);

	if (!err)
		err = hash_init(&u->unbound);
	if (err)
		return err;
	u->socket = udp_socket_open(&o, &socket_events, u, &err);
	return u->socket ? 0 : -err;
}

struct socks_udp *socks_udp_new(const struct addr *listen, int *err)
{
	struct socks_udp *u = calloc(1, sizeof(*u));

	*err = ENOMEM;
	if (!u)
		return NULL;
	u->port.ops = &socks_ops;
	list_init(&u->frags);
	*err = -open_all(u, listen);
	if (*err) {
		socks_udp_free(u);
		return NULL;
	}
	return u;
}

void socks_udp_free(struct socks_udp *u)
{
	loop_timer_stop(&u->sweep);
	if (u->socket)
		udp_socket_close(u->socket);
	hash_free(&u->bound);
	hash_free(&u->unbound);
	free(u);
}

struct datagram_port *socks_udp_port(struct socks_udp *u)
{
	return &u->port;
}

struct addr socks_udp_addr(const struct socks_udp *u)
{
	return udp_socket_addr(u->socket);
}
