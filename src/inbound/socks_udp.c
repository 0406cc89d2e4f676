/*
 * Datagrams of SOCKS5 associations.
 *
 * An association is made by a control connection and knows its client's host.
 * What sends datagrams is a peer: a host and a port. Whose peer it is is known
 * when the request named the client's own address and a port. Many clients put
 * the target, or zeros, into the request; then nothing tells which of a host's
 * associations a new port belongs to, and a guess that is wrong would cost one
 * client its port when the other leaves. So such ports belong to the host:
 *
 *	association ──announced──► its peer, and dies with it
 *	     └─────otherwise─────► the host: each association is good for one new
 *	                           port, and all die with the host's last one
 *
 * With one association at a time, which is the rule, that is the same. With
 * several, a port outlives its own association until the table finds it idle.
 * A datagram from a host without an open association, or from more ports than
 * it has associations, goes nowhere: this is no open relay.
 *
 * The table's key is the peer's address and number, so that a late reply never
 * reaches a later user of the same port.
 *
 * Fragments: one queue per peer, made when one comes, 10 s of life, at most
 * FRAGS_MAX of them at a time.
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
#define PEERS_MAX (2 * ASSOCIATIONS_MAX)
#define FRAG_MS 10000u
#define FRAGS_MAX 64u
#define SWEEP_MS 1000u

struct socks_host {
	struct hash_node node; /* in `hosts` */
	struct addr client;    /* port 0 */
	unsigned open, vacant; /* associations that announced nothing; new ports that they are good for */
	unsigned n_peers;
	struct list peers;
};

struct peer {
	struct socks_udp *udp;
	struct hash_node node; /* in `peers` */
	struct addr client;
	struct addr local; /* the address of ours that it sent to */
	uint64_t number;
	struct socks_host *host; /* NULL: it was announced */
	struct list host_node;
	bool used; /* the table has heard of it */
	struct buf *frag_buf;
	struct socks_frag frag;
	uint64_t frag_due_ms;
	struct list frag_node; /* in the order of frag_due_ms */
};

struct socks_association {
	struct socks_udp *udp;
	struct peer *peer;	 /* announced, else */
	struct socks_host *host; /* of the host */
};

struct socks_udp {
	struct datagram_port port;
	struct udp_socket *socket;
	struct hash peers, hosts;
	unsigned n_associations;
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

static struct peer *find_peer(const struct socks_udp *u, const struct addr *a)
{
	uint64_t value = addr_hash(a);

	for (struct hash_node *n = hash_first(&u->peers, value); n; n = hash_next(n, value)) {
		struct peer *p = container_of(n, struct peer, node);
		if (addr_equal(&p->client, a))
			return p;
	}
	return NULL;
}

static struct socks_host *find_host(const struct socks_udp *u, struct addr a)
{
	uint64_t value;

	a.port = 0;
	value = addr_hash(&a);
	for (struct hash_node *n = hash_first(&u->hosts, value); n; n = hash_next(n, value)) {
		struct socks_host *h = container_of(n, struct socks_host, node);
		if (addr_equal(&h->client, &a))
			return h;
	}
	return NULL;
}

static struct peer *add_peer(struct socks_udp *u, const struct addr *client)
{
	struct peer *p = u->peers.count < PEERS_MAX ? calloc(1, sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	p->udp = u;
	p->client = *client;
	p->number = ++u->last_number;
	list_init(&p->host_node);
	list_init(&p->frag_node);
	hash_insert(&u->peers, &p->node, addr_hash(client));
	return p;
}

static struct peer *peer_of(struct socks_udp *u, const struct addr *client)
{
	struct peer *p = find_peer(u, client);
	struct socks_host *h = p ? NULL : find_host(u, *client);

	if (p || !h || !h->vacant)
		return p;
	p = add_peer(u, client);
	if (!p)
		return NULL;
	p->host = h;
	h->vacant--;
	h->n_peers++;
	list_append(&h->peers, &p->host_node);
	return p;
}

static struct assoc_key key_of(const struct peer *p)
{
	return (struct assoc_key){ .addr = p->client, .session = p->number };
}

/* ---- fragments ---- */

static void drop_frags(struct peer *p)
{
	if (!p->frag_buf)
		return;
	if (socks_frag_reset(&p->frag))
		datagram_counters.fragment_timeouts++;
	buf_unref(p->frag_buf);
	p->frag_buf = NULL;
	list_remove(&p->frag_node);
	p->udp->n_frags--;
}

static void on_sweep(struct loop_timer *t)
{
	struct socks_udp *u = container_of(t, struct socks_udp, sweep);

	list_for_each_safe (it, &u->frags) {
		struct peer *p = container_of(it, struct peer, frag_node);

		if (p->frag_due_ms > loop_now())
			break;
		drop_frags(p);
	}
	if (u->n_frags)
		loop_timer_start(t, SWEEP_MS, on_sweep);
}

static bool want_frags(struct peer *p)
{
	struct socks_udp *u = p->udp;

	if (p->frag_buf)
		return true;
	if (u->n_frags >= FRAGS_MAX)
		drop_frags(container_of(u->frags.next, struct peer, frag_node));
	p->frag_buf = buf_get(SOCKS_FRAG_DATA_MAX);
	if (!p->frag_buf)
		return false;
	p->frag = (struct socks_frag){ .data = p->frag_buf->data };
	p->frag_due_ms = loop_now() + FRAG_MS;
	list_append(&u->frags, &p->frag_node);
	u->n_frags++;
	if (!loop_timer_armed(&u->sweep))
		loop_timer_start(&u->sweep, SWEEP_MS, on_sweep);
	return true;
}

static void hand_up(struct peer *p, const struct target *target, struct slice payload)
{
	struct datagram d = { .key = key_of(p), .remote = target, .local = p->local.family ? &p->local : NULL, .payload = payload };

	p->used = true;
	p->udp->port.events->receive(p->udp->port.owner, &d, 1);
}

static void take_fragment(struct peer *p, const struct socks_datagram *h, const uint8_t *data, size_t len)
{
	datagram_counters.fragments++;
	if (!want_frags(p)) {
		datagram_counters.dropped_queue++;
		return;
	}
	switch (socks_frag_add(&p->frag, h->frag, &h->target, data, len)) {
	case SOCKS_FRAG_MORE:
		break;
	case SOCKS_FRAG_ABANDONED:
		datagram_counters.fragment_timeouts++;
		drop_frags(p);
		break;
	case SOCKS_FRAG_WHOLE:
		hand_up(p, &p->frag.target, (struct slice){ p->frag_buf, 0, p->frag.len });
		socks_frag_reset(&p->frag); /* it is complete: nothing was lost */
		drop_frags(p);
		break;
	}
}

/* ---- receiving ---- */

static void take(struct socks_udp *u, const struct udp_message *m, uint32_t off, uint32_t len)
{
	const uint8_t *in = slice_data(&m->payload) + off;
	struct peer *p;
	struct socks_datagram h;

	if (socks_read_datagram(in, len, &h) != 0 || !target_port(&h.target)) {
		datagram_counters.malformed++;
		return;
	}
	p = peer_of(u, &m->peer);
	if (!p) {
		datagram_counters.dropped_acl++;
		return;
	}
	p->local = m->local;
	if (h.frag)
		take_fragment(p, &h, in + h.header_len, len - h.header_len);
	else
		hand_up(p, &h.target, (struct slice){ m->payload.buf, m->payload.off + off + (uint32_t)h.header_len,
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

static void reply(struct socks_udp *u, const struct peer *p, const struct datagram *d)
{
	uint8_t header[SOCKS_UDP_HEADER_MAX];
	uint32_t header_len = (uint32_t)socks_write_datagram_header(header, d->remote), at = 0;
	struct udp_outgoing o = { .remote = &p->client, .local = p->local.family ? &p->local : NULL, .flow = (uint32_t)p->number };

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
		struct peer *p = find_peer(u, &d[i].key.addr);

		if (p && p->number == d[i].key.session)
			reply(u, p, &d[i]);
	}
}

static void socks_end(struct datagram_port *port, enum flow_end why)
{
	(void)port, (void)why; /* an inbound is freed by its owner */
}

/* ---- the end of a peer ---- */

static void free_peer(struct peer *p)
{
	drop_frags(p);
	hash_remove(&p->udp->peers, &p->node);
	if (p->host) {
		list_remove(&p->host_node);
		p->host->n_peers--;
	}
	free(p);
}

static void end_peer(struct peer *p)
{
	struct assoc_key key = key_of(p);
	struct socks_udp *u = p->udp;
	bool used = p->used;

	free_peer(p); /* first: the table will ask us to forget it, too */
	if (used && u->closed)
		u->closed(u->closed_owner, &key);
}

/* The table found it idle. A client whose control connection stands may send
 * again, from the same port. Where its host has several, the port may have
 * outlived its own association: it makes room, and any of them may be next. */
static void socks_forget(struct datagram_port *port, const struct assoc_key *key)
{
	struct peer *p = find_peer(of(port), &key->addr);
	struct socks_host *h;

	if (!p || p->number != key->session)
		return;
	p->used = false;
	h = p->host;
	if (!h || (h->open == 1 && h->n_peers == 1))
		return;
	free_peer(p);
	if (h->n_peers + h->vacant < h->open)
		h->vacant = h->open - h->n_peers;
}

static const struct datagram_port_ops socks_ops = { .send = socks_send, .end = socks_end, .forget = socks_forget };

/* ---- associations ---- */

static struct socks_host *join_host(struct socks_udp *u, const struct addr *client)
{
	struct socks_host *h = find_host(u, *client);

	if (!h) {
		h = calloc(1, sizeof(*h));
		if (!h)
			return NULL;
		h->client = *client;
		h->client.port = 0;
		list_init(&h->peers);
		hash_insert(&u->hosts, &h->node, addr_hash(&h->client));
	}
	h->open++;
	h->vacant++;
	return h;
}

static void leave_host(struct socks_udp *u, struct socks_host *h)
{
	h->open--;
	if (h->vacant > h->open)
		h->vacant = h->open;
	if (h->open)
		return;
	while (!list_empty(&h->peers))
		end_peer(container_of(h->peers.next, struct peer, host_node));
	hash_remove(&u->hosts, &h->node);
	free(h);
}

struct socks_association *socks_udp_open(struct socks_udp *u, const struct addr *client, const struct target *announced)
{
	bool own = !target_is_name(announced) && announced->ip.port && addr_ip_equal(&announced->ip, client);
	struct socks_association *a = u->n_associations < ASSOCIATIONS_MAX ? calloc(1, sizeof(*a)) : NULL;

	if (!a)
		return NULL;
	a->udp = u;
	if (own && !find_peer(u, &announced->ip))
		a->peer = add_peer(u, &announced->ip);
	else
		a->host = join_host(u, client);
	if (!a->peer && !a->host) {
		free(a);
		return NULL;
	}
	u->n_associations++;
	return a;
}

void socks_udp_close(struct socks_association *a)
{
	a->udp->n_associations--;
	if (a->peer)
		end_peer(a->peer);
	else
		leave_host(a->udp, a->host);
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
	int err = hash_init(&u->peers);

	if (!err)
		err = hash_init(&u->hosts);
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
	hash_free(&u->peers);
	hash_free(&u->hosts);
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
