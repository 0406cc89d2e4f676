/*
 * See upstream.h.
 *
 * Why TCP, and one connection: it is reliable through any server, carries
 * answers of any size, costs no association per source port (which makes a
 * resolver that changes ports slow), and an RFC 7766 server answers pipelined
 * queries in any order.
 *
 *	NONE ──first ask──→ DIALING ──opened──→ OPEN ──fin, broken, silent, idle──→ NONE
 *
 * Every ask under way is in `asks` and owns a slot; the id on
 * the wire is its slot and a generation, so that a late answer to an earlier
 * owner of the slot is not taken for an answer to this one. An ask is sent at
 * most twice: when the connection breaks under it, once more on a new one
 * (servers close idle connections just as a query is on its way).
 *
 * A connection that was idle and then swallows a question for SILENT_MS is
 * taken for dead: its path may have changed meanwhile. One that was not idle is
 * given all the time there is: some names take long.
 */
#include "dns/upstream.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "dns/frames.h"
#include "dns/state.h"
#include "loop/loop.h"
#include "proto/dns_message.h"

#define SLOT_BITS 9u
#define SLOTS (1u << SLOT_BITS)
#define WAS_IDLE_MS 1000u
#define SILENT_MS 2000u
#define TICK_MS 250u
#define IDLE_MS 10000u
#define PREFIX 2u /* the length before a message */

struct dns_ask {
	struct list node;
	struct dns_upstream *up;
	uint16_t id;
	uint8_t sent;	     /* how often */
	bool queued;	     /* on the connection at hand */
	uint64_t asked_ms, sent_ms;
	struct slice message; /* length, then the query under `id` */
	dns_upstream_done *done;
	void *owner;
};

struct dns_upstream {
	struct outbound *outbound;
	struct target server;
	struct list asks;
	struct dns_ask **slots; /* made with the first ask */
	unsigned n_asks, next_slot, generation;

	struct dial *dial;
	struct stream *stream;
	struct slice_queue unsent;
	struct dns_frames frames;
	uint64_t heard_ms;
	struct loop_timer timer;
	bool ticking; /* the timer is a tick, not the idle limit */
	struct loop_work free_work;
};

static void connect_server(struct dns_upstream *u);
static void arm(struct dns_upstream *u);

/* ---- u->asks ---- */

static const uint8_t *ask_query(const struct dns_ask *a)
{
	return slice_data(&a->message) + PREFIX;
}

static size_t ask_len(const struct dns_ask *a)
{
	return a->message.len - PREFIX;
}

static void ask_free(struct dns_ask *a)
{
	list_remove(&a->node);
	a->up->slots[a->id & (SLOTS - 1)] = NULL;
	a->up->n_asks--;
	slice_unref(a->message);
	free(a);
}

static void ask_done(struct dns_ask *a, const uint8_t *reply, size_t len)
{
	struct slice message = slice_ref(a->message);
	dns_upstream_done *done = a->done;
	void *owner = a->owner;

	if (!len)
		dns_state.counters.upstream_failures++;
	ask_free(a);
	done(owner, slice_data(&message) + PREFIX, reply, len);
	slice_unref(message);
}

static bool take_id(struct dns_upstream *u, uint16_t *id)
{
	if (!u->slots)
		u->slots = calloc(SLOTS, sizeof(struct dns_ask *));
	if (!u->slots || u->n_asks == SLOTS)
		return false;
	while (u->slots[u->next_slot])
		u->next_slot = (u->next_slot + 1) & (SLOTS - 1);
	*id = (uint16_t)(u->generation++ << SLOT_BITS | u->next_slot);
	u->next_slot = (u->next_slot + 1) & (SLOTS - 1);
	return true;
}

/* ---- the connection ---- */

static void forget_connection(struct dns_upstream *u, enum flow_end why)
{
	if (u->stream)
		stream_end(u->stream, why);
	u->stream = NULL;
	slice_queue_clear(&u->unsent);
	dns_frames_clear(&u->frames);
	list_for_each(it, &u->asks)
		container_of(it, struct dns_ask, node)->queued = false;
}

/* Those who had their two tries fail; the rest go to a new connection. */
static void reconnect(struct dns_upstream *u, enum flow_end why)
{
	char text[TARGET_STRLEN];

	forget_connection(u, why);
	/* done() may ask again, at the end of the list: only those of now are looked at. */
	for (unsigned n = u->n_asks; n && !list_empty(&u->asks); n--) {
		struct dns_ask *a = container_of(u->asks.next, struct dns_ask, node);

		list_move_last(&u->asks, &a->node);
		if (a->sent < 2)
			continue;
		log_warn("the DNS server %s closes connections without an answer why=%s", target_format(&u->server, text),
			 flow_end_name(why));
		ask_done(a, NULL, 0);
	}
	connect_server(u);
}

static void flush(struct dns_upstream *u)
{
	struct slice v[16];
	ssize_t n;
	int count;

	while ((count = slice_queue_peek(&u->unsent, v, 16)) > 0) {
		n = stream_write(u->stream, v, count);
		if (n < 0)
			return; /* ended() is on its way */
		slice_queue_drop(&u->unsent, (size_t)n);
		if ((size_t)n < slices_len(v, count)) {
			stream_want(u->stream, true, true);
			return;
		}
	}
}

static void queue_ask(struct dns_upstream *u, struct dns_ask *a)
{
	if (slice_queue_push(&u->unsent, &a->message, 1) < 0)
		return; /* it fails by its time */
	a->queued = true;
	a->sent++;
	a->sent_ms = loop_now();
}

static bool on_message(void *owner, const uint8_t *msg, size_t len)
{
	struct dns_upstream *u = owner;
	struct dns_ask *a;

	if (len < DNS_HEADER_LEN)
		return true;
	a = u->slots ? u->slots[dns_message_id(msg) & (SLOTS - 1)] : NULL;
	if (a && a->id == dns_message_id(msg) && dns_message_answers(msg, len, ask_query(a), ask_len(a)))
		ask_done(a, msg, len);
	return u->stream != NULL;
}

static size_t on_data(void *owner, const struct slice *s, int n)
{
	struct dns_upstream *u = owner;
	size_t taken = 0;

	u->heard_ms = loop_now();
	for (int i = 0; i < n; i++) {
		size_t part = 0;

		if (dns_frames_feed(&u->frames, slice_data(&s[i]), s[i].len, &part, on_message, u) < 0) {
			reconnect(u, END_LIMIT);
			return taken;
		}
		taken += part;
		if (part < s[i].len)
			break;
	}
	arm(u);
	return taken;
}

static void on_room(void *owner)
{
	struct dns_upstream *u = owner;
	flush(u);
}

/* Idle servers close; only questions under way make it an event. */
static void on_fin(void *owner)
{
	struct dns_upstream *u = owner;
	reconnect(u, END_DONE);
	arm(u);
}

static void on_ended(void *owner, enum flow_end why)
{
	struct dns_upstream *u = owner;
	if (u->n_asks)
		log_debug("the connection to the DNS server broke why=%s", flow_end_name(why));
	reconnect(u, why);
	arm(u);
}

static const struct stream_events stream_events = { on_data, on_room, on_fin, on_ended };

static void on_opened(void *owner, struct stream *s)
{
	struct dns_upstream *u = owner;
	u->dial = NULL;
	u->stream = s;
	u->heard_ms = loop_now();
	stream_bind(s, &stream_events, u);
	stream_want(s, true, false);
	list_for_each(it, &u->asks)
		queue_ask(u, container_of(it, struct dns_ask, node));
	flush(u);
	arm(u);
}

static void fail_all(struct dns_upstream *u)
{
	for (unsigned n = u->n_asks; n && !list_empty(&u->asks); n--)
		ask_done(container_of(u->asks.next, struct dns_ask, node), NULL, 0);
}

static void on_failed(void *owner, enum flow_end why)
{
	struct dns_upstream *u = owner;
	char text[TARGET_STRLEN];

	u->dial = NULL;
	log_warn("the DNS server %s cannot be reached outbound=%s why=%s", target_format(&u->server, text),
		 u->outbound->name, flow_end_name(why));
	fail_all(u);
	if (u->n_asks) /* asked from inside done() */
		connect_server(u);
	arm(u);
}

static const struct dial_events dial_events = { on_opened, on_failed };

static void connect_server(struct dns_upstream *u)
{
	if (!u->n_asks || u->stream || u->dial)
		return;
	u->dial = u->outbound->ops->connect(u->outbound, &u->server, &dial_events, u);
	if (!u->dial)
		log_warn("the DNS server cannot be dialed: out of descriptors or memory");
}

/* ---- time ---- */

static void fail_overdue(struct dns_upstream *u, uint64_t now)
{
	char text[TARGET_STRLEN];
	uint64_t limit = now - DNS_UPSTREAM_MS;

	for (unsigned n = u->n_asks; n && !list_empty(&u->asks); n--) {
		struct dns_ask *a = container_of(u->asks.next, struct dns_ask, node);

		list_move_last(&u->asks, &a->node);
		if (a->asked_ms > limit)
			continue;
		log_warn("the DNS server %s did not answer within %d ms", target_format(&u->server, text), DNS_UPSTREAM_MS);
		ask_done(a, NULL, 0);
	}
}

/* A question went out on a connection that had been idle, and nothing came. */
static bool is_silent(struct dns_upstream *u, uint64_t now)
{
	list_for_each(it, &u->asks) {
		const struct dns_ask *a = container_of(it, struct dns_ask, node);

		if (a->queued && u->heard_ms + WAS_IDLE_MS <= a->sent_ms && now - a->sent_ms >= SILENT_MS)
			return true;
	}
	return false;
}

static void go_idle(struct dns_upstream *u)
{
	forget_connection(u, END_DONE);
	free(u->slots);
	u->slots = NULL;
}

static void on_timer(struct loop_timer *t)
{
	struct dns_upstream *u = container_of(t, struct dns_upstream, timer);
	uint64_t now = loop_now();

	fail_overdue(u, now);
	if (u->stream && !u->n_asks && now - u->heard_ms >= IDLE_MS)
		go_idle(u);
	else if (u->stream && is_silent(u, now))
		reconnect(u, END_IDLE);
	connect_server(u);
	arm(u);
}

/* One tick serves all deadlines, and traffic does not put it off. */
static void arm(struct dns_upstream *u)
{
	bool tick = u->n_asks > 0;

	if (tick && u->ticking && u->timer.armed)
		return;
	u->ticking = tick;
	if (tick)
		loop_timer_start(&u->timer, TICK_MS, on_timer);
	else if (u->stream)
		loop_timer_start(&u->timer, IDLE_MS, on_timer);
	else
		loop_timer_stop(&u->timer);
}

/* ---- the calls ---- */

static bool make_message(struct dns_ask *a, const uint8_t *query, size_t len)
{
	struct buf *b = buf_get((uint32_t)(PREFIX + len));

	if (!b)
		return false;
	b->data[0] = (uint8_t)(len >> 8);
	b->data[1] = (uint8_t)len;
	memcpy(b->data + PREFIX, query, len);
	dns_message_set_id(b->data + PREFIX, a->id);
	a->message = (struct slice){ b, 0, (uint32_t)(PREFIX + len) };
	return true;
}

struct dns_ask *dns_upstream_ask(struct dns_upstream *u, const uint8_t *query, size_t len, dns_upstream_done *done, void *owner)
{
	struct dns_ask *a;

	if (len < DNS_HEADER_LEN || len > DNS_MESSAGE_MAX)
		return NULL;
	a = calloc(1, sizeof(*a));
	if (!a || !take_id(u, &a->id) || !make_message(a, query, len)) {
		free(a);
		return NULL;
	}
	a->up = u;
	a->done = done;
	a->owner = owner;
	a->asked_ms = loop_now();
	u->slots[a->id & (SLOTS - 1)] = a;
	list_append(&u->asks, &a->node);
	u->n_asks++;
	dns_state.counters.upstream_queries++;
	if (u->stream) {
		queue_ask(u, a);
		flush(u);
	} else {
		connect_server(u);
	}
	arm(u);
	return a;
}

void dns_upstream_cancel(struct dns_ask *a)
{
	ask_free(a);
}

struct dns_upstream *dns_upstream_new(struct outbound *out, const struct target *to)
{
	struct dns_upstream *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->outbound = out;
	u->server = *to;
	list_init(&u->asks);
	return u;
}

static void free_upstream(struct loop_work *w)
{
	free(container_of(w, struct dns_upstream, free_work));
}

void dns_upstream_free(struct dns_upstream *u)
{
	if (!u)
		return;
	if (u->dial)
		u->outbound->ops->cancel(u->dial);
	u->dial = NULL;
	list_for_each_safe(it, &u->asks)
		ask_free(container_of(it, struct dns_ask, node));
	forget_connection(u, END_SHUTDOWN);
	loop_timer_stop(&u->timer);
	free(u->slots);
	u->slots = NULL;
	loop_defer(&u->free_work, free_upstream);
}
