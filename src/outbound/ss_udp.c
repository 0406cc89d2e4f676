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
 * The socket is connected: errors come back, and the kernel remembers the
 * route. When sending fails for want of a route or of our address, the socket
 * is made again, at most once a second (a laptop changed networks). While the
 * server's name resolves, datagrams wait, bounded.
 */
#include "outbound/ss_udp.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "crypto/random.h"
#include "crypto/replay_window.h"
#include "io/datagram_counters.h"
#include "loop/loop.h"
#include "outbound/udp_waiting.h"
#include "resolve/resolve.h"
#include "transport/ss_port.h"

#define SOCKET_BUFFER (8u * 1024 * 1024)
#define RETRY_MS 1000
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

/* A socket to the server, and when it was made. */
struct way {
	struct udp_socket *socket;
	uint64_t tried_ms; /* 0 = never */
};

struct ss_udp_port {
	struct datagram_port port;
	struct ss_udp_client *client;
	struct hash_node node; /* SIP022: by session id */
	struct list list;
	struct ss_packet_session session;
	struct server_session *current, *old;
	struct way own; /* SIP004 */
	struct list waiting;
	struct udp_waiting_budget budget;
	struct loop_work free_work;
	bool ended;
};

struct ss_udp_client {
	struct ss_packet_codec codec;
	struct target server;
	struct addr addr; /* family 0: not resolved yet */
	struct resolve_query *query;
	uint64_t asked_ms;
	const struct socket_rules *rules;
	struct way shared; /* SIP022 */
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
	if (err == -ETIME)
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

/* An ICMP error about what we sent: the app sees silence, the user may want to know. */
static void on_error(void *owner, int err, const struct addr *remote)
{
	char text[ADDR_STRLEN];

	(void)owner;
	if (err == ECONNREFUSED)
		log_warn("nobody listens on udp at the server %s: is it running, and does it carry udp (mode)?", addr_format(remote, text));
}

static const struct udp_socket_events shared_events = { on_shared_receive, on_error };
static const struct udp_socket_events own_events = { on_own_receive, on_error };

/* ---- the way to the server ---- */

static void send_waiting(void *owner, const struct datagram *d)
{
	struct ss_udp_port *p = owner;

	datagram_send(&p->port, d, 1);
}

static void on_resolved(void *owner, const struct resolved *r)
{
	struct ss_udp_client *c = owner;
	char text[TARGET_STRLEN];

	c->query = NULL;
	if (r->n) {
		c->addr = r->addrs[0];
		c->addr.port = target_port(&c->server);
	} else {
		log_warn("the server's name does not resolve: udp waits server=%s", target_format(&c->server, text));
	}
	list_for_each(it, &c->ports) {
		struct ss_udp_port *p = container_of(it, struct ss_udp_port, list);
		udp_waiting_drain(&p->waiting, &p->budget, r->n ? send_waiting : NULL, p);
	}
}

static bool resolve_server(struct ss_udp_client *c)
{
	struct resolved r;

	if (!target_is_name(&c->server)) {
		c->addr = c->server.ip;
		return true;
	}
	if (c->query || (c->asked_ms && loop_now() - c->asked_ms < RETRY_MS))
		return c->addr.family != 0;
	c->asked_ms = loop_now();
	if (resolve_cached(c->server.name, c->server.name_len, &r) && r.n) {
		c->addr = r.addrs[0];
		c->addr.port = target_port(&c->server);
	} else {
		c->query = resolve_start(c->server.name, c->server.name_len, on_resolved, c);
	}
	return c->addr.family != 0;
}

static void open_way(struct ss_udp_client *c, struct way *w, const struct udp_socket_events *events, void *owner)
{
	struct udp_socket_options o = { .connect = &c->addr, .rules = c->rules, .buffer = SOCKET_BUFFER };
	char text[ADDR_STRLEN];
	int err;

	w->tried_ms = loop_now();
	w->socket = udp_socket_open(&o, events, owner, &err);
	if (!w->socket)
		log_warn("no udp socket to the server %s err=%s", addr_format(&c->addr, text), err_name(err));
}

/* Errors that a new socket may not have. */
static bool wants_new_socket(int err)
{
	return err == ENETUNREACH || err == EHOSTUNREACH || err == EADDRNOTAVAIL || err == EINVAL || err == ENODEV || err == ENETDOWN;
}

static struct udp_socket *socket_of(struct ss_udp_port *p)
{
	struct ss_udp_client *c = p->client;
	struct way *w = is_sip022(c) ? &c->shared : &p->own;
	bool may_try = !w->tried_ms || loop_now() - w->tried_ms >= RETRY_MS;

	if (w->socket && may_try && wants_new_socket(udp_socket_take_error(w->socket))) {
		udp_socket_close(w->socket);
		w->socket = NULL;
		resolve_server(c);
	}
	if (!w->socket && may_try)
		open_way(c, w, is_sip022(c) ? &shared_events : &own_events, is_sip022(c) ? (void *)c : p);
	return w->socket;
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

static void port_send(struct datagram_port *port, const struct datagram *d, int n)
{
	struct ss_udp_port *p = container_of(port, struct ss_udp_port, port);
	struct ss_packet_out out = { .now = clock_unix() };
	struct ss_port_way way = { .flow = (uint32_t)p->session.id };

	if (!p->client->addr.family && !resolve_server(p->client)) {
		for (int i = 0; i < n; i++)
			if (!udp_waiting_push(&p->waiting, &p->budget, &d[i]))
				datagram_counters.dropped_queue++;
		return;
	}
	way.socket = socket_of(p);
	if (!way.socket) {
		datagram_counters.dropped_queue += (unsigned)n;
		return;
	}
	for (int i = 0; i < n; i++) {
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
	end_session(p);
	if (!p->client->by_session.count) {
		hash_settle(&p->client->by_session);
		hash_settle(&p->client->server_sessions);
	}
	if (p->own.socket)
		udp_socket_close(p->own.socket);
	loop_defer(&p->free_work, free_port);
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
	if (!is_sip022(c) && resolve_server(c) && !socket_of(p)) {
		port_end(&p->port, END_LIMIT);
		return NULL;
	}
	return &p->port;
}

/* ---- the client ---- */

struct ss_udp_client *ss_udp_client_new(const struct target *server, const struct ss_method *m, const uint8_t *key,
					const struct ss_identity *identity, const struct socket_rules *rules)
{
	struct ss_udp_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->server = *server;
	c->rules = rules;
	list_init(&c->ports);
	if (ss_packet_codec_init(&c->codec, m, SS_CLIENT, key) != 0 || hash_init(&c->by_session) != 0 ||
	    hash_init(&c->server_sessions) != 0) {
		ss_udp_client_free(c);
		return NULL;
	}
	if (identity)
		ss_packet_codec_set_identity(&c->codec, identity);
	return c;
}

void ss_udp_client_free(struct ss_udp_client *c)
{
	if (c->query)
		resolve_cancel(c->query);
	if (c->shared.socket)
		udp_socket_close(c->shared.socket);
	if (c->spare) {
		ss_packet_session_wipe(&c->spare->session);
		free(c->spare);
	}
	hash_free(&c->by_session);
	hash_free(&c->server_sessions);
	ss_packet_codec_wipe(&c->codec);
	free(c);
}
