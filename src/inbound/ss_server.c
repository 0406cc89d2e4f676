/*
 * The server's TCP inbound.
 *
 *	accepted ──► HANDSHAKE ──header verified──► the owner's stream
 *	                 │
 *	                 └─rejected──► SIP022: reset at once
 *	                               SIP004: DRAINING, silently, until the
 *	                               client closes or the time is up
 *
 * SIP022 says that the server must not reveal how many bytes it took: the
 * reset is the same for every failure and comes after exactly one read. SIP004
 * has no such rule, and closing at the first bad byte would tell a prober where
 * the header ends, so the server goes on reading like a program that waits for
 * more.
 *
 * The time limit is one timer per server over a list in order of arrival:
 * every client gets the same number of seconds.
 *
 * Whoever has not said what he wants holds a descriptor for nothing, and needs no
 * key for it. So all of these together have a quarter of the descriptors, and the
 * oldest makes room: an honest client is through in a round trip.
 */
#include "inbound/ss_server.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/cells.h"
#include "base/list.h"
#include "base/log.h"
#include "io/tcp_socket.h"
#include "loop/loop.h"
#include "transport/ss_stream.h"

#define DRAIN_MAX 1024 /* more are closed at once: the oldest first */

static unsigned guests_now; /* of all servers of this process */

struct ss_server {
	struct tcp_listener *listener;
	struct ss_stream_config config;
	uint8_t key[SS_KEY_MAX];
	struct salt_store *salts;
	struct proven *proven;
	const struct inbound_events *events;
	void *owner;
	struct list handshakes, drains; /* by age */
	unsigned drain_count;
	unsigned guests_max;
	uint64_t limit_ms;
	struct loop_timer timer;
};

/* A client that has not said what it wants yet, or never will. */
struct guest {
	struct ss_server *server;
	struct ss_accept *accept; /* HANDSHAKE; NULL while draining */
	struct stream *under;
	struct addr client;
	uint64_t due_ms;
	struct list node;
	struct loop_work free_work;
};

static void free_guest(struct loop_work *w)
{
	cell_free(container_of(w, struct guest, free_work));
}

static void guest_gone(struct guest *g)
{
	if (!g->accept)
		g->server->drain_count--;
	guests_now--;
	list_remove(&g->node);
	loop_defer(&g->free_work, free_guest);
}

/* ---- draining ---- */

static void drain_close(struct guest *g)
{
	guest_gone(g);
	stream_end(g->under, END_DONE);
}

static size_t drain_data(void *owner, const struct slice *v, int n)
{
	(void)owner;
	return slices_len(v, n);
}

static void drain_room(void *owner) { (void)owner; }
static void drain_fin(void *owner) { drain_close(owner); }

static void drain_ended(void *owner, enum flow_end why)
{
	(void)why;
	drain_close(owner);
}

static const struct stream_events drain_events = { drain_data, drain_room, drain_fin, drain_ended };

static void drain(struct guest *g)
{
	struct ss_server *server = g->server;

	if (server->drain_count >= DRAIN_MAX)
		drain_close(container_of(server->drains.next, struct guest, node));
	g->accept = NULL;
	server->drain_count++;
	list_move_last(&server->drains, &g->node);
	stream_bind(g->under, &drain_events, g);
	stream_want(g->under, true, false);
}

/* ---- the handshake ---- */

static void on_accepted(void *owner, struct stream *s, const struct target *target)
{
	struct guest *g = owner;

	guest_gone(g);
	if (g->server->proven)
		proven_note(g->server->proven, &g->client, loop_now());
	g->server->events->stream(g->server->owner, s, &g->client, target);
}

static const char *sentence(enum flow_end why, bool users)
{
	switch (why) {
	case END_FORGED:
		return users ? "no such user, wrong password or method, or not a Shadowsocks client" :
			       "wrong password or method, or not a Shadowsocks client";
	case END_REPLAY:
		return "a replayed connection";
	case END_CLOCK:
		return "its clock and this one differ by more than 30 s";
	case END_TRUNCATED:
	case END_REMOTE_RESET:
		return "it left before it had said what it wants";
	case END_LIMIT:
		return "out of memory";
	default:
		return "a malformed request";
	}
}

static void on_rejected(void *owner, struct stream *under, enum flow_end why)
{
	struct guest *g = owner;
	const struct ss_users *users = g->server->config.users;
	char client[ADDR_STRLEN];

	log_warn("client %s was not let in: %s end=%s", addr_format(&g->client, client), sentence(why, users && !ss_users_anyone(users)),
		 flow_end_name(why));
	if (g->server->config.method->sip022) {
		guest_gone(g);
		stream_end(under, why);
	} else {
		drain(g);
	}
}

static const struct ss_accept_events accept_events = { on_accepted, on_rejected };

static void on_timer(struct loop_timer *);
static void expire(struct guest *);

/* The oldest goes, one that is known to be no client before all others. */
static void make_room(struct ss_server *server)
{
	struct list *from = list_empty(&server->drains) ? &server->handshakes : &server->drains;

	if (guests_now < server->guests_max || list_empty(from))
		return;
	log_warn("%u clients have not said what they want: the oldest makes room", guests_now);
	expire(container_of(from->next, struct guest, node));
}

static void on_client(void *owner, struct stream *under, const struct addr *client)
{
	struct ss_server *server = owner;
	enum flow_end why = inbound_admit(server->events, server->owner, client);
	struct guest *g = why == END_DONE ? cell_new(sizeof(*g)) : NULL;

	if (g) {
		make_room(server);
		g->accept = ss_stream_accept(under, &server->config, server->salts, &accept_events, g);
	}
	if (!g || !g->accept) {
		cell_free(g);
		stream_end(under, why == END_DONE ? END_LIMIT : why);
		return;
	}
	g->server = server;
	g->under = under;
	g->client = *client;
	g->due_ms = loop_now() + server->limit_ms;
	list_init(&g->node);
	list_append(&server->handshakes, &g->node);
	guests_now++;
	if (!loop_timer_armed(&server->timer))
		loop_timer_start(&server->timer, server->limit_ms, on_timer);
}

static const struct tcp_listener_events listener_events = { on_client };

/* ---- time ---- */

static void expire(struct guest *g)
{
	if (!g->accept) {
		drain_close(g);
		return;
	}
	ss_stream_accept_cancel(g->accept);
	guest_gone(g);
	/* One reaction: what a bad handshake gets, a missing one gets too. */
	stream_end(g->under, g->server->config.method->sip022 ? END_IDLE : END_DONE);
}

/* Expires what is due in one list; returns when its next one is, or 0. */
static uint64_t expire_list(struct list *guests)
{
	while (!list_empty(guests)) {
		struct guest *g = container_of(guests->next, struct guest, node);

		if (g->due_ms > loop_now())
			return g->due_ms;
		expire(g);
	}
	return 0;
}

static void on_timer(struct loop_timer *t)
{
	struct ss_server *server = container_of(t, struct ss_server, timer);
	uint64_t a = expire_list(&server->handshakes), b = expire_list(&server->drains);
	uint64_t next = !a || (b && b < a) ? b : a;

	if (next)
		loop_timer_start(t, next - loop_now() + 1, on_timer);
}

/* ---- life ---- */

struct ss_server *ss_server_new(const struct ss_server_options *o, const struct inbound_events *events, void *owner,
				int *err)
{
	/* Killed in the middle of a download, we must not make it look complete. */
	struct tcp_socket_options socket = { .reset_on_death = true, .keepalive = true };
	struct ss_server *s = calloc(1, sizeof(*s));

	*err = ENOMEM;
	if (!s)
		return NULL;
	s->config = (struct ss_stream_config){ .method = o->method, .key = s->key, .old_salts = o->old_salts, .users = o->users };
	memcpy(s->key, o->key, o->method->key_len);
	s->salts = o->salts;
	s->proven = o->proven;
	s->events = events;
	s->owner = owner;
	s->limit_ms = (uint64_t)o->handshake_s * 1000;
	s->guests_max = inbound_guests_max();
	list_init(&s->handshakes);
	list_init(&s->drains);
	s->listener = tcp_listener_new(&o->listen, &socket, &listener_events, s, err);
	if (!s->listener) {
		sodium_memzero(s->key, sizeof(s->key));
		free(s);
		return NULL;
	}
	return s;
}

static void expire_all(struct list *guests)
{
	while (!list_empty(guests))
		expire(container_of(guests->next, struct guest, node));
}

void ss_server_set_key(struct ss_server *s, const struct ss_method *m, const uint8_t *key)
{
	expire_all(&s->handshakes);
	s->config.method = m;
	memset(s->key, 0, sizeof(s->key));
	memcpy(s->key, key, m->key_len);
}

void ss_server_set_patience(struct ss_server *s, uint32_t handshake_s)
{
	s->limit_ms = (uint64_t)handshake_s * 1000;
}

void ss_server_free(struct ss_server *s)
{
	tcp_listener_free(s->listener);
	loop_timer_stop(&s->timer);
	expire_all(&s->handshakes);
	expire_all(&s->drains);
	sodium_memzero(s->key, sizeof(s->key));
	free(s);
}
