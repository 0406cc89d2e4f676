/*
 * Shadowsocks UDP, client side.
 *
 * SIP022: every port has a session of its own, all share the client's socket,
 * and a reply finds its port by the session id that the server echoes. The
 * server has sessions too, chosen by it: a port knows its current one and the
 * one before (a server that restarted), each with a replay window; a third is
 * refused while the older of the two was heard within a minute, so that
 * nobody who recorded packets can push the real one out. Window and adoption
 * change only after a datagram was opened, its time checked and its echo
 * found. SIP004: one socket per port, and a datagram is its own session.
 *
 * What leads to the server is ss_udp_way.c's. While its name resolves, datagrams
 * wait, bounded.
 */
#include "outbound/ss_udp.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "crypto/random.h"
#include "crypto/replay_window.h"
#include "io/datagram_counters.h"
#include "loop/loop.h"
#include "outbound/refusals.h"
#include "outbound/ss_udp_way.h"
#include "outbound/udp_waiting.h"
#include "transport/ss_port.h"

#define OLD_SESSION_MS 60000

struct ss_udp_port;

/* A session of the server, under the port that it answers. */
struct server_session {
	struct hash_node node; /* by id */
	struct ss_udp_port *port;
	struct ss_packet_session session;
	struct replay_window window;
	uint64_t heard_ms;
};

struct ss_udp_port {
	struct datagram_port port;
	struct ss_udp_client *client;
	struct hash_node node; /* SIP022: by session id */
	struct list list;
	struct ss_packet_session session;
	struct server_session *current, *old;
	struct ss_udp_way own; /* SIP004 */
	struct list waiting;
	struct udp_waiting_budget budget;
	struct refusals refused;
	struct loop_work free_work;
	bool ended, handed_out;
};

struct ss_udp_client {
	struct ss_packet_codec codec;
	struct ss_udp_place place;
	struct outbound_seen unseen; /* where nobody looks */
	void (*port_ended)(void *owner);
	void *owner;
	struct path_watch *watch; /* or NULL */
	uint16_t exact;		  /* struct ss_port_way's */
	struct ss_udp_way shared; /* SIP022 */
	struct list ports;
	struct hash by_session, server_sessions;
	struct server_session *spare; /* where an unknown session is tried */
};

static bool is_sip022(const struct ss_udp_client *c)
{
	return c->codec.method->sip022;
}

/* ---- the server's sessions ---- */

static void drop_server_session(struct server_session *v)
{
	if (!v)
		return;
	hash_remove(&v->port->client->server_sessions, &v->node);
	ss_packet_session_wipe(&v->session);
	free(v);
}

static struct server_session *find_server_session(const struct ss_udp_client *c, uint64_t id)
{
	uint64_t h = hash_bytes(&id, sizeof(id));

	for (struct hash_node *n = hash_first(&c->server_sessions, h); n; n = hash_next(n, h)) {
		struct server_session *v = container_of(n, struct server_session, node);
		if (v->session.id == id)
			return v;
	}
	return NULL;
}

static struct ss_udp_port *find_port(const struct ss_udp_client *c, uint64_t id)
{
	uint64_t h = hash_bytes(&id, sizeof(id));

	for (struct hash_node *n = hash_first(&c->by_session, h); n; n = hash_next(n, h)) {
		struct ss_udp_port *p = container_of(n, struct ss_udp_port, node);
		if (p->session.id == id)
			return p;
	}
	return NULL;
}

static struct server_session *spare_for(struct ss_udp_client *c, uint64_t id)
{
	if (!c->spare)
		c->spare = calloc(1, sizeof(*c->spare));
	if (c->spare) {
		ss_packet_session_wipe(&c->spare->session);
		ss_packet_session_init(&c->codec, &c->spare->session, id);
	}
	return c->spare;
}

/* The spare session was authentic and answers p. */
static bool adopt(struct ss_udp_client *c, struct ss_udp_port *p)
{
	struct server_session *v = c->spare;

	if (p->old && loop_now() - p->old->heard_ms < OLD_SESSION_MS)
		return false;
	drop_server_session(p->old);
	p->old = p->current;
	p->current = v;
	c->spare = NULL;
	v->port = p;
	hash_insert(&c->server_sessions, &v->node, hash_bytes(&v->session.id, sizeof(v->session.id)));
	return true;
}

/* ---- receiving ---- */

/* What was opened and waits to be handed to one port; in a pool buffer meanwhile. */
struct rx {
	struct ss_packet packets[DATAGRAM_BATCH];
	struct datagram batch[DATAGRAM_BATCH];
	struct ss_udp_port *port;
	int n;
};
static_assert(sizeof(struct rx) <= BUF_LARGE, "the scratch of a batch fits a pool buffer");

static void deliver(struct rx *rx)
{
	struct outbound_seen *seen = rx->n ? rx->port->client->place.seen : NULL;

	for (int i = 0; i < rx->n; i++)
		seen->down += rx->batch[i].payload.len;
	if (rx->n)
		seen->udp_heard_ms = loop_now();
	if (rx->n && !rx->port->ended)
		rx->port->port.events->receive(rx->port->port.owner, rx->batch, rx->n);
	rx->n = 0;
}

static void take(struct rx *rx, struct ss_udp_port *p, struct buf *buf)
{
	struct ss_packet *k = &rx->packets[rx->n];

	/* sing-box answers for a domain in the domain's name: whoever gave the app
	 * an address for it (dns/) knows which, and a TUN drops what is left. */
	rx->batch[rx->n] = (struct datagram){
		.remote = &k->remote,
		.payload = { buf, (uint32_t)(k->payload - buf->data), (uint32_t)k->len },
	};
	rx->port = p;
	if (++rx->n == DATAGRAM_BATCH)
		deliver(rx);
}

static void refuse_packet(const struct ss_packet *k, int err)
{
	ss_port_count_bad(err);
	if (err == -ETIME && !loop_was_stopped())
		log_warn("the server's clock differs from ours by more than 30 s: its datagrams are refused offset=%lld",
			 (long long)(k->timestamp - clock_unix()));
}

/* Opens and validates; the port it is for, or NULL. */
static struct ss_udp_port *open_sip022(struct ss_udp_client *c, const struct ss_port_cut *cut, uint64_t now, struct ss_packet *k)
{
	struct server_session *v;
	struct ss_udp_port *p;
	bool known;
	int err = ss_packet_identify(&c->codec, cut->data, cut->len, k);

	if (!err) {
		v = find_server_session(c, k->session_id);
		known = v != NULL;
		if (known && !replay_window_check(&v->window, k->packet_id)) {
			datagram_counters.dropped_replay++;
			return NULL;
		}
		if (!known && !(v = spare_for(c, k->session_id)))
			return NULL;
		err = ss_packet_open(&c->codec, &v->session, now, cut->data, cut->len, k);
	}
	if (err) {
		refuse_packet(k, err);
		return NULL;
	}
	p = find_port(c, k->client_session_id);
	if (!p || (known && v->port != p) || (!known && !adopt(c, p))) {
		datagram_counters.malformed++;
		return NULL;
	}
	if (!replay_window_accept(&v->window, k->packet_id)) {
		datagram_counters.dropped_replay++;
		return NULL;
	}
	v->heard_ms = loop_now();
	ss_udp_way_heard(&c->shared);
	return p;
}

static void open_shared(void *owner, struct rx *rx, const struct udp_message *m, int n)
{
	struct ss_udp_client *c = owner;
	uint64_t now = clock_unix();
	struct ss_port_cut cut;

	for (int i = 0; i < n; i++) {
		for (uint32_t off = 0; ss_port_cut(&m[i], &off, &cut);) {
			struct ss_packet *k = &rx->packets[rx->n];
			struct ss_udp_port *p = open_sip022(c, &cut, now, k);

			if (!p)
				continue;
			if (rx->n && rx->port != p) {
				struct ss_packet moved = *k;
				deliver(rx);
				rx->packets[0] = moved;
			}
			take(rx, p, m[i].payload.buf);
		}
	}
	deliver(rx);
}

static void open_own(void *owner, struct rx *rx, const struct udp_message *m, int n)
{
	struct ss_udp_port *p = owner;
	struct ss_packet_codec *codec = &p->client->codec;
	struct ss_port_cut cut;

	for (int i = 0; i < n; i++) {
		for (uint32_t off = 0; ss_port_cut(&m[i], &off, &cut) && !p->ended;) {
			struct ss_packet *k = &rx->packets[rx->n];
			int err;

			ss_port_expect(codec, &m[i], n - i, off - cut.len);
			err = ss_packet_identify(codec, cut.data, cut.len, k);
			if (!err)
				err = ss_packet_open(codec, NULL, 0, cut.data, cut.len, k);
			if (err)
				refuse_packet(k, err);
			else
				take(rx, p, m[i].payload.buf);
		}
	}
	deliver(rx);
}

static void with_scratch(void *owner, const struct udp_message *m, int n,
			 void (*open)(void *, struct rx *, const struct udp_message *, int))
{
	struct buf *scratch = buf_get(sizeof(struct rx));
	struct rx *rx;

	if (!scratch) {
		datagram_counters.dropped_queue += (unsigned)n;
		return;
	}
	rx = (struct rx *)(void *)scratch->data;
	rx->n = 0;
	open(owner, rx, m, n);
	buf_unref(scratch);
}

static void on_shared_receive(void *owner, const struct udp_message *m, int n)
{
	with_scratch(owner, m, n, open_shared);
}

static void on_own_receive(void *owner, const struct udp_message *m, int n)
{
	with_scratch(owner, m, n, open_own);
}

static void on_shared_error(void *owner, int err, const struct addr *remote)
{
	ss_udp_place_note(&((struct ss_udp_client *)owner)->place, err, remote);
}

static void on_own_error(void *owner, int err, const struct addr *remote)
{
	ss_udp_place_note(&((struct ss_udp_port *)owner)->client->place, err, remote);
}

static const struct udp_socket_events shared_events = { on_shared_receive, on_shared_error };
static const struct udp_socket_events own_events = { on_own_receive, on_own_error };

/* ---- receiving through another outbound ---- */

static void receive_via(void *owner, const struct datagram *d, int n, void (*open)(void *, struct rx *, const struct udp_message *, int))
{
	struct udp_message m[UDP_RECEIVE_BATCH];

	for (int at = 0; at < n; at += UDP_RECEIVE_BATCH) {
		int count = n - at < UDP_RECEIVE_BATCH ? n - at : UDP_RECEIVE_BATCH;

		for (int i = 0; i < count; i++)
			m[i] = (struct udp_message){ .payload = d[at + i].payload, .segment = d[at + i].segment };
		with_scratch(owner, m, count, open);
	}
}

static void on_shared_via(void *owner, const struct datagram *d, int n)
{
	receive_via(owner, d, n, open_shared);
}

static void on_own_via(void *owner, const struct datagram *d, int n)
{
	receive_via(owner, d, n, open_own);
}

static void on_shared_via_ended(void *owner, enum flow_end why)
{
	(void)why;
	ss_udp_way_close(&((struct ss_udp_client *)owner)->shared);
}

static void on_own_via_ended(void *owner, enum flow_end why)
{
	(void)why;
	ss_udp_way_close(&((struct ss_udp_port *)owner)->own);
}

static const struct datagram_events shared_via_events = { on_shared_via, on_shared_via_ended, NULL };
static const struct datagram_events own_via_events = { on_own_via, on_own_via_ended, NULL };

/* ---- the way to the server ---- */

static void send_waiting(void *owner, const struct datagram *d)
{
	struct ss_udp_port *p = owner;

	datagram_send(&p->port, d, 1);
}

static void refuse_waiting(void *owner, const struct datagram *d)
{
	struct ss_udp_port *p = owner;

	datagram_counters.dropped_queue += datagrams_in(d);
	refusals_add(&p->refused, &p->port, d->remote, END_UNREACHABLE);
}

static void on_located(void *owner, bool found)
{
	struct ss_udp_client *c = owner;

	list_for_each(it, &c->ports) {
		struct ss_udp_port *p = container_of(it, struct ss_udp_port, list);
		udp_waiting_drain(&p->waiting, &p->budget, found ? send_waiting : refuse_waiting, p);
	}
}

/* The way of p, opened if need be; NULL: there is none now. */
static const struct ss_udp_way *way_of(struct ss_udp_port *p)
{
	struct ss_udp_client *c = p->client;
	bool shared = is_sip022(c);
	struct ss_udp_way *w = shared ? &c->shared : &p->own;
	bool ready = ss_udp_way_ready(&c->place, w, shared ? &shared_events : &own_events,
				      shared ? &shared_via_events : &own_via_events, shared ? (void *)c : p);

	return ready ? w : NULL;
}

/* ---- the port ---- */

static void begin_session(struct ss_udp_port *p)
{
	uint64_t id;

	do
		id = random_u64();
	while (id == 0);
	ss_packet_session_init(&p->client->codec, &p->session, id);
	if (is_sip022(p->client))
		hash_insert(&p->client->by_session, &p->node, hash_bytes(&id, sizeof(id)));
}

static void end_session(struct ss_udp_port *p)
{
	if (is_sip022(p->client))
		hash_remove(&p->client->by_session, &p->node);
	ss_packet_session_wipe(&p->session);
	drop_server_session(p->current);
	drop_server_session(p->old);
	p->current = p->old = NULL;
}

static void look_for_large(const struct ss_udp_client *c, const struct datagram *d, int n)
{
	uint32_t small = c->watch->large - c->codec.method->udp_overhead - c->codec.identity_len;

	for (int i = 0; i < n; i++) {
		if ((d[i].segment ? d[i].segment : d[i].payload.len) >= small) {
			c->watch->seen(c->watch, &c->place.addr);
			return;
		}
	}
}

static void port_send(struct datagram_port *port, const struct datagram *d, int n)
{
	struct ss_udp_port *p = container_of(port, struct ss_udp_port, port);
	struct ss_packet_out out = { .now = clock_unix() };
	struct ss_port_way way = { .flow = (uint32_t)p->session.id, .server = &p->client->place.server, .exact = p->client->exact };
	const struct ss_udp_way *open;

	if (!ss_udp_place_known(&p->client->place)) {
		for (int i = 0; i < n; i++)
			if (!udp_waiting_push(&p->waiting, &p->budget, &d[i]))
				datagram_counters.dropped_queue++;
		return;
	}
	open = way_of(p);
	if (!open) {
		for (int i = 0; i < n; i++)
			refuse_waiting(p, &d[i]);
		return;
	}
	if (p->client->watch && path_watch_is_due(p->client->watch))
		look_for_large(p->client, d, n);
	way.socket = open->socket;
	way.via = open->via;
	way.hole = open->hole;
	for (int i = 0; i < n; i++) {
		p->client->place.seen->up += d[i].payload.len;
		if (ss_port_seal(&p->client->codec, &p->session, &out, &d[i], &way) == -EOVERFLOW) {
			end_session(p);
			begin_session(p);
		}
	}
}

static void free_port(struct loop_work *w)
{
	free(container_of(w, struct ss_udp_port, free_work));
}

static void port_end(struct datagram_port *port, enum flow_end why)
{
	struct ss_udp_port *p = container_of(port, struct ss_udp_port, port);

	(void)why;
	p->ended = true;
	list_remove(&p->list);
	udp_waiting_drain(&p->waiting, &p->budget, NULL, NULL);
	refusals_clear(&p->refused);
	end_session(p);
	if (!p->client->by_session.count) {
		hash_settle(&p->client->by_session);
		hash_settle(&p->client->server_sessions);
	}
	ss_udp_way_close(&p->own);
	loop_defer(&p->free_work, free_port);
	if (p->handed_out && p->client->port_ended)
		p->client->port_ended(p->client->owner);
}

static const struct datagram_port_ops port_ops = { .send = port_send, .end = port_end };

struct datagram_port *ss_udp_client_port(struct ss_udp_client *c)
{
	struct ss_udp_port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->port.ops = &port_ops;
	p->client = c;
	list_init(&p->waiting);
	list_append(&c->ports, &p->list);
	begin_session(p);
	/* One descriptor each: say so now, not at the first datagram. */
	if (!is_sip022(c) && ss_udp_place_known(&c->place) && !way_of(p)) {
		port_end(&p->port, END_LIMIT);
		return NULL;
	}
	p->handed_out = true;
	return &p->port;
}

/* ---- the client ---- */

struct ss_udp_client *ss_udp_client_new(const struct ss_udp_client_options *o)
{
	struct ss_udp_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->place = (struct ss_udp_place){
		.server = *o->server,
		.via = o->via,
		.seen = o->seen ? o->seen : &c->unseen,
		.rules = o->rules,
		.located = on_located,
		.owner = c,
	};
	c->watch = o->watch;
	c->port_ended = o->port_ended;
	c->owner = o->owner;
	list_init(&c->ports);
	if (ss_packet_codec_init(&c->codec, o->method, SS_CLIENT, o->key) != 0 || hash_init(&c->by_session) != 0 ||
	    hash_init(&c->server_sessions) != 0) {
		ss_udp_client_free(c);
		return NULL;
	}
	if (o->identity)
		ss_packet_codec_set_identity(&c->codec, o->identity);
	return c;
}

void ss_udp_client_pad_to(struct ss_udp_client *c, uint16_t sealed)
{
	c->exact = sealed;
}

uint32_t ss_udp_client_overhead(const struct ss_udp_client *c, const struct target *remote)
{
	struct ss_packet_out o = { .remote = remote };

	return (uint32_t)ss_packet_payload_offset(&c->codec, &o) + AEAD_TAG_LEN;
}

void ss_udp_client_free(struct ss_udp_client *c)
{
	ss_udp_place_free(&c->place);
	ss_udp_way_close(&c->shared);
	if (c->spare) {
		ss_packet_session_wipe(&c->spare->session);
		free(c->spare);
	}
	hash_free(&c->by_session);
	hash_free(&c->server_sessions);
	ss_packet_codec_wipe(&c->codec);
	free(c);
}
