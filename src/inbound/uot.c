/*
 * UDP over TCP, the server's end.
 *
 *	stream ── link ── guest ─┐
 *	stream ── link ── guest ─┴─ one datagram_port ── association table
 *
 * A guest is a stream and, from its first datagram on, an association: its key
 * is the client's address and a number of ours, never used again. Whichever of
 * the two ends first ends the other: a stream that closes is told to the table
 * (on_close), an association that goes (idle, evicted, refused) closes its
 * stream, and its client opens another when it has something to say.
 *
 * A stream that brings no datagram within SILENT_MS is closed: no association
 * would ever be idle for it. What ended is freed by deferred work.
 */
#include "inbound/uot.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "loop/loop.h"
#include "transport/uot_link.h"

#define SILENT_MS 30000

struct uot_server {
	struct datagram_port port;
	struct hash guests;
	struct list silent; /* by age: no datagram yet */
	struct list heard;
	uint64_t last;
	struct loop_timer timer;
	void (*closed)(void *owner, const struct assoc_key *);
	void *closed_owner;
};

struct guest {
	struct hash_node node;
	struct list list; /* silent or heard */
	struct uot_server *server;
	struct uot_link *link;
	struct limits_flow *limit; /* until its association has it; or NULL */
	struct assoc_key key;
	uint64_t since_ms;
	bool known; /* to the table */
	bool gone;
	struct loop_work free_work;
};

static uint64_t number_hash(uint64_t number)
{
	return hash_bytes(&number, sizeof(number));
}

static struct guest *find(const struct uot_server *u, const struct assoc_key *key)
{
	uint64_t h = number_hash(key->session);

	for (struct hash_node *n = hash_first(&u->guests, h); n; n = hash_next(n, h)) {
		struct guest *g = container_of(n, struct guest, node);
		if (g->key.session == key->session)
			return g;
	}
	return NULL;
}

/* ---- the end ---- */

static void free_guest(struct loop_work *w)
{
	free(container_of(w, struct guest, free_work));
}

static void leave(struct guest *g, enum flow_end why)
{
	if (g->gone)
		return;
	g->gone = true;
	hash_remove(&g->server->guests, &g->node);
	list_remove(&g->list);
	uot_link_end(g->link, why);
	limits_close(g->limit);
	loop_defer(&g->free_work, free_guest);
}

/* The stream is over: the association with it. */
static void on_ended(void *owner, enum flow_end why)
{
	struct guest *g = owner;
	struct uot_server *u = g->server;
	struct assoc_key key = g->key;
	bool known = g->known;
	char client[ADDR_STRLEN];

	log_debug("udp over tcp: stream ended client=%s end=%s", addr_format(&key.addr, client), flow_end_name(why));
	leave(g, why);
	if (known && u->closed)
		u->closed(u->closed_owner, &key);
}

static void on_timer(struct loop_timer *t)
{
	struct uot_server *u = container_of(t, struct uot_server, timer);

	while (!list_empty(&u->silent)) {
		struct guest *g = container_of(u->silent.next, struct guest, list);
		uint64_t age = loop_now() - g->since_ms;

		if (age < SILENT_MS) {
			loop_timer_start(t, SILENT_MS - age + 1, on_timer);
			return;
		}
		leave(g, END_DONE);
	}
}

/* ---- both ways ---- */

static void on_receive(void *owner, const struct datagram *d, int n)
{
	struct guest *g = owner;
	struct datagram batch[DATAGRAM_BATCH];

	if (!g->known)
		list_move_last(&g->server->heard, &g->list);
	g->known = true;
	for (int i = 0; i < n; i++) {
		batch[i] = d[i];
		batch[i].key = g->key;
	}
	g->server->port.events->receive(g->server->port.owner, batch, n);
}

static const struct uot_link_events link_events = { on_receive, on_ended };

static struct uot_server *of(struct datagram_port *p)
{
	return container_of(p, struct uot_server, port);
}

/* A batch of replies is one association's; should it not be, each run of them is. */
static void port_send(struct datagram_port *p, const struct datagram *d, int n)
{
	for (int i = 0, run; i < n; i += run) {
		struct guest *g = find(of(p), &d[i].key);

		for (run = 1; i + run < n && d[i + run].key.session == d[i].key.session; run++)
			;
		if (g)
			uot_link_send(g->link, d + i, run);
	}
}

static void port_end(struct datagram_port *p, enum flow_end why)
{
	(void)p, (void)why; /* uot_server_close() is what ends it */
}

static void port_refuse(struct datagram_port *p, const struct datagram *d, enum flow_end why)
{
	struct guest *g = find(of(p), &d->key);

	if (g)
		leave(g, why);
}

static void port_forget(struct datagram_port *p, const struct assoc_key *key)
{
	struct guest *g = find(of(p), key);

	if (g)
		leave(g, END_DONE);
}

static const struct datagram_port_ops port_ops = {
	.send = port_send, .end = port_end, .refuse = port_refuse, .forget = port_forget
};

/* ---- life ---- */

struct uot_server *uot_server_new(void)
{
	struct uot_server *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	if (hash_init(&u->guests) != 0) {
		free(u);
		return NULL;
	}
	u->port.ops = &port_ops;
	list_init(&u->silent);
	list_init(&u->heard);
	return u;
}

struct datagram_port *uot_server_port(struct uot_server *u)
{
	return &u->port;
}

void uot_server_on_close(struct uot_server *u, void (*closed)(void *owner, const struct assoc_key *), void *owner)
{
	u->closed = closed;
	u->closed_owner = owner;
}

struct limits_flow *uot_server_limit(struct uot_server *u, const struct assoc_key *key)
{
	struct guest *g = find(u, key);
	struct limits_flow *limit = g ? g->limit : NULL;

	if (g)
		g->limit = NULL;
	return limit;
}

void uot_server_take(struct uot_server *u, struct stream *s, const struct addr *client, int version, struct limits_flow *limit)
{
	struct guest *g = calloc(1, sizeof(*g));
	char text[ADDR_STRLEN];

	if (g)
		g->link = uot_link_new(s, version == 1 ? UOT_SERVER_V1 : UOT_SERVER_V2, &link_events, g);
	if (!g || !g->link) {
		free(g);
		limits_close(limit);
		stream_end(s, END_LIMIT);
		return;
	}
	g->server = u;
	g->limit = limit;
	g->key = (struct assoc_key){ .addr = *client, .session = ++u->last };
	g->since_ms = loop_now();
	hash_insert(&u->guests, &g->node, number_hash(g->key.session));
	list_init(&g->list);
	list_append(&u->silent, &g->list);
	stream_accept(s);
	log_debug("udp over tcp: stream opened client=%s version=%d", addr_format(client, text), version);
	if (!loop_timer_armed(&u->timer))
		loop_timer_start(&u->timer, SILENT_MS, on_timer);
}

static void leave_all(struct list *guests)
{
	while (!list_empty(guests))
		leave(container_of(guests->next, struct guest, list), END_SHUTDOWN);
}

void uot_server_close(struct uot_server *u)
{
	loop_timer_stop(&u->timer);
	leave_all(&u->silent);
	leave_all(&u->heard);
}

void uot_server_free(struct uot_server *u)
{
	hash_free(&u->guests);
	free(u);
}
