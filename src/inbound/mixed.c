/*
 * Listener and guests of socks, http and mixed inbounds; mixed_guest.h draws
 * the life of a guest.
 *
 * Invariants: of a message that arrives in pieces the pieces are kept in a pool
 * buffer; behind the last message nothing is taken, so the bytes that a client
 * sends ahead stay in its socket and are offered to whoever gets the stream. A
 * silent guest costs no buffer. Time is bounded while ASKING and DRAINING, each
 * by a list in the order of arrival and one timer. What ended is freed by
 * deferred work.
 *
 * It does not know what the protocols say; that is socks.c and http.c.
 */
#include "inbound/mixed.h"

#include <stdlib.h>
#include <string.h>

#include "base/cells.h"
#include "flow/counters.h"
#include "inbound/mixed_guest.h"
#include "io/tcp_socket.h"

#define DRAIN_MS 2000
#define SWEEP_MS 500
#define DRAIN_MAX 1024 /* more are closed at once: the oldest first */

struct mixed {
	struct tcp_listener *listener;
	struct mixed_options options;
	const struct inbound_events *events;
	void *owner;
	struct list asking, draining, others; /* the first two by age */
	unsigned n_draining;
	struct loop_timer sweep;
};

static struct guest *of(const struct stream *s)
{
	return container_of((struct stream *)(uintptr_t)s, struct guest, stream);
}

/* ---- the end ---- */

static void free_guest(struct loop_work *w)
{
	cell_free(container_of(w, struct guest, free_work));
}

static void drop_input(struct guest *g)
{
	if (g->in)
		buf_unref(g->in);
	g->in = NULL;
	g->used = 0;
}

static void leave_state(struct guest *g)
{
	if (g->state == GUEST_DRAINING)
		g->inbound->n_draining--;
	if (g->state == GUEST_CONTROL)
		flow_counters.socks.control_active--;
	if (g->association)
		socks_udp_close(g->association);
	g->association = NULL;
}

void guest_leave(struct guest *g, enum flow_end why)
{
	if (g->state == GUEST_GONE)
		return;
	leave_state(g);
	g->state = GUEST_GONE;
	drop_input(g);
	list_remove(&g->node);
	stream_end(g->under, why);
	loop_defer(&g->free_work, free_guest);
}

/* ---- time ---- */

static void sweep_list(struct list *guests)
{
	list_for_each_safe (it, guests) {
		struct guest *g = container_of(it, struct guest, node);

		if (g->due_ms > loop_now())
			return;
		guest_leave(g, END_DONE);
	}
}

static void on_sweep(struct loop_timer *t)
{
	struct mixed *m = container_of(t, struct mixed, sweep);

	sweep_list(&m->asking);
	sweep_list(&m->draining);
	if (!list_empty(&m->asking) || !list_empty(&m->draining))
		loop_timer_start(t, SWEEP_MS, on_sweep);
}

static void enter(struct guest *g, enum guest_state state, struct list *where, uint64_t ms)
{
	leave_state(g);
	g->state = (uint8_t)state;
	g->due_ms = loop_now() + ms;
	list_move_last(where, &g->node);
	if (ms && !loop_timer_armed(&g->inbound->sweep))
		loop_timer_start(&g->inbound->sweep, SWEEP_MS, on_sweep);
}

/* ---- DRAINING and CONTROL: nothing that comes matters but its end ---- */

static size_t swallow(void *owner, const struct slice *v, int n)
{
	(void)owner;
	return slices_len(v, n);
}

static void on_no_room(void *owner) { (void)owner; }
static void on_closed(void *owner) { guest_leave(owner, END_DONE); }

static void on_broken(void *owner, enum flow_end why)
{
	guest_leave(owner, why);
}

static const struct stream_events swallow_events = { swallow, on_no_room, on_closed, on_broken };

static void swallow_from_now(struct guest *g)
{
	drop_input(g);
	stream_bind(g->under, &swallow_events, g);
	stream_want(g->under, true, false);
}

void guest_turn_away(struct guest *g)
{
	struct mixed *m = g->inbound;

	if (m->n_draining >= DRAIN_MAX)
		guest_leave(container_of(m->draining.next, struct guest, node), END_DONE);
	enter(g, GUEST_DRAINING, &m->draining, DRAIN_MS);
	m->n_draining++;
	stream_shut(g->under);
	swallow_from_now(g);
}

void guest_control(struct guest *g)
{
	struct socks_association *a = g->association;

	g->association = NULL; /* of the state that is entered, not of the one left */
	enter(g, GUEST_CONTROL, &g->inbound->others, 0);
	flow_counters.socks.control_active++;
	flow_counters.socks.control_opened++;
	g->association = a;
	swallow_from_now(g);
}

void guest_say(struct guest *g, const void *bytes, size_t len)
{
	struct buf *b = buf_get((uint32_t)len);
	struct slice s = { b, 0, (uint32_t)len };

	if (!b)
		return; /* out of memory: it will hear nothing, and hang up */
	memcpy(b->data, bytes, len);
	stream_write(g->under, &s, 1);
	buf_unref(b);
}

/* ---- HELD and JOINED: the stream that the owner has ---- */

static void guest_accept(struct stream *s)
{
	struct guest *g = of(s);
	uint8_t reply[GUEST_REPLY_MAX];

	if (g->state != GUEST_HELD)
		return;
	guest_say(g, reply, g->protocol->reply(g, END_DONE, reply));
	g->state = GUEST_JOINED;
	stream_bind(g->under, g->stream.events, g->stream.owner);
}

static ssize_t guest_write(struct stream *s, const struct slice *v, int n) { return stream_write(of(s)->under, v, n); }
static size_t guest_space(const struct stream *s) { return stream_space(of(s)->under); }
static void guest_shut(struct stream *s) { stream_shut(of(s)->under); }
static void guest_want(struct stream *s, bool data, bool room) { stream_want(of(s)->under, data, room); }

static void guest_end(struct stream *s, enum flow_end why)
{
	struct guest *g = of(s);
	uint8_t reply[GUEST_REPLY_MAX];

	if (g->state != GUEST_HELD || g->client_gone || why == END_SHUTDOWN) {
		guest_leave(g, why);
		return;
	}
	guest_say(g, reply, g->protocol->reply(g, why == END_DONE ? END_NO_REPLY : why, reply));
	guest_turn_away(g);
}

/* What came with the request is the socket's still, and goes first. */
static struct stream *guest_bare(struct stream *s)
{
	return of(s)->state == GUEST_JOINED ? stream_bare(of(s)->under) : NULL;
}

static const struct stream_ops guest_ops = {
	.accept = guest_accept,
	.write = guest_write,
	.space = guest_space,
	.want = guest_want,
	.shut = guest_shut,
	.end = guest_end,
	.bare = guest_bare,
};

static size_t held_data(void *owner, const struct slice *v, int n)
{
	(void)owner, (void)v, (void)n;
	return 0; /* it is the owner's, later */
}

/* A FIN is told again to whoever is bound when data is wanted. */
static void held_nothing(void *owner) { (void)owner; }

static void held_ended(void *owner, enum flow_end why)
{
	struct guest *g = owner;

	g->client_gone = true;
	g->stream.events->ended(g->stream.owner, why);
}

static const struct stream_events held_events = { held_data, held_nothing, held_nothing, held_ended };

void guest_hold(struct guest *g)
{
	enter(g, GUEST_HELD, &g->inbound->others, 0);
	stream_bind(g->under, &held_events, g);
	stream_want(g->under, false, false);
}

void guest_exchange(struct guest *g, const struct stream_ops *ops, const struct stream_events *events, void *owner)
{
	enter(g, GUEST_PLAIN, &g->inbound->others, 0);
	g->stream.ops = ops;
	stream_bind(g->under, events, owner);
	stream_want(g->under, false, false);
}

/* ---- ASKING ---- */

static const struct guest_protocol *protocol_of(const struct mixed_options *o, uint8_t first)
{
	if (o->socks && first == 5)
		return &guest_socks5;
	if (o->socks && first == 4)
		return &guest_socks4;
	if (o->http && first >= 'A' && first <= 'Z')
		return &guest_http;
	return NULL;
}

/* Appends as much as one message may still need, from byte `skip` on; returns how much. */
static size_t gather(struct guest *g, const struct slice *v, int n, size_t skip)
{
	size_t copied = 0, most = g->protocol->request_max;

	if (!g->in)
		g->in = buf_get((uint32_t)most);
	for (int i = 0; g->in && i < n; i++) {
		size_t from = skip < v[i].len ? skip : v[i].len;
		size_t len = v[i].len - from < most - g->used ? v[i].len - from : most - g->used;

		skip -= from;
		memcpy(g->in->data + g->used, slice_data(&v[i]) + from, len);
		g->used += (uint32_t)len;
		copied += len;
		if (g->used == most)
			break;
	}
	return copied;
}

/* Reads message after message; returns the bytes that stay unread. */
static size_t read_messages(struct guest *g)
{
	size_t at = 0;
	ssize_t n = 1;

	while (g->state == GUEST_ASKING && at < g->used && n > 0) {
		n = g->protocol->read(g, g->in->data + at, g->used - at);
		at += n > 0 ? (size_t)n : 0;
	}
	if (g->state == GUEST_ASKING && n < 0)
		guest_leave(g, END_PROTOCOL);
	else if (g->state == GUEST_ASKING && g->used - at >= g->protocol->request_max)
		g->protocol->too_long(g);
	if (g->state == GUEST_ASKING && at) {
		memmove(g->in->data, g->in->data + at, g->used - at);
		g->used -= (uint32_t)at;
	}
	return g->state == GUEST_HELD || g->state == GUEST_PLAIN ? g->used - at : 0;
}

static void hand_over(struct guest *g)
{
	struct mixed *m = g->inbound;

	drop_input(g);
	m->events->stream(m->owner, &g->stream, &g->client, &g->target);
}

static size_t on_data(void *owner, const struct slice *v, int n)
{
	struct guest *g = owner;
	size_t taken = 0, total = slices_len(v, n);

	if (!g->protocol)
		g->protocol = protocol_of(g->options, *slice_data(&v[0]));
	if (!g->protocol)
		guest_leave(g, END_PROTOCOL);
	while (g->state == GUEST_ASKING && taken < total) {
		taken += gather(g, v, n, taken);
		if (!g->in) {
			guest_leave(g, END_LIMIT);
			return 0;
		}
		taken -= read_messages(g);
	}
	if (g->state == GUEST_HELD || g->state == GUEST_PLAIN) {
		hand_over(g);
		return taken;
	}
	if (g->state == GUEST_ASKING && g->used == 0)
		drop_input(g);
	return total;
}

static const struct stream_events asking_events = { on_data, on_no_room, on_closed, on_broken };

void guest_ask_again(struct guest *g)
{
	if (!g->inbound->listener) { /* retired meanwhile */
		guest_leave(g, END_DONE);
		return;
	}
	enter(g, GUEST_ASKING, &g->inbound->asking, (uint64_t)g->options->handshake_s * 1000);
	g->stream.ops = &guest_ops;
	stream_bind(g->under, &asking_events, g);
	stream_want(g->under, true, false);
}

static void on_client(void *owner, struct stream *under, const struct addr *client)
{
	struct mixed *m = owner;
	enum flow_end why = inbound_admit(m->events, m->owner, client);
	struct guest *g = why == END_DONE ? cell_new(sizeof(*g)) : NULL;

	if (!g) {
		stream_end(under, why == END_DONE ? END_LIMIT : why);
		return;
	}
	g->options = &m->options;
	g->inbound = m;
	g->under = under;
	g->client = *client;
	list_init(&g->node);
	guest_ask_again(g);
}

static const struct tcp_listener_events listener_events = { on_client };

/* ---- life ---- */

struct mixed *mixed_new(const struct mixed_options *o, const struct inbound_events *events, void *owner, int *err)
{
	/* Killed in the middle of a download, we must not make it look complete. */
	struct tcp_socket_options socket = { .reset_on_death = true, .keepalive = true };
	struct mixed *m = calloc(1, sizeof(*m));

	*err = ENOMEM;
	if (!m)
		return NULL;
	m->options = *o;
	m->events = events;
	m->owner = owner;
	list_init(&m->asking);
	list_init(&m->draining);
	list_init(&m->others);
	m->listener = tcp_listener_new(&o->listen, &socket, &listener_events, m, err);
	if (!m->listener) {
		free(m);
		return NULL;
	}
	return m;
}

static void end_list(struct list *guests)
{
	while (!list_empty(guests))
		guest_leave(container_of(guests->next, struct guest, node), END_SHUTDOWN);
}

void mixed_set_users(struct mixed *m, const struct config_users *socks_users, const struct config_users *http_users)
{
	m->options.socks_users = socks_users;
	m->options.http_users = http_users;
}

void mixed_retire(struct mixed *m)
{
	if (m->listener)
		tcp_listener_free(m->listener);
	m->listener = NULL;
	end_list(&m->asking);
	end_list(&m->draining);
	list_for_each_safe (it, &m->others) {
		struct guest *g = container_of(it, struct guest, node);

		if (g->state == GUEST_CONTROL)
			guest_leave(g, END_REMOVED);
	}
	m->options.udp = NULL;
}

bool mixed_busy(const struct mixed *m)
{
	return !list_empty(&m->others) || !list_empty(&m->draining) || !list_empty(&m->asking);
}

void mixed_free(struct mixed *m)
{
	if (m->listener)
		tcp_listener_free(m->listener);
	end_list(&m->asking);
	end_list(&m->draining);
	end_list(&m->others);
	loop_timer_stop(&m->sweep);
	free(m);
}

struct addr mixed_addr(const struct mixed *m)
{
	return tcp_listener_addr(m->listener);
}
