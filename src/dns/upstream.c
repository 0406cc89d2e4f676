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
	uint16_t id;
	uint8_t sent;	     /* how often */
	bool queued;	     /* on the connection at hand */
	uint64_t asked_ms, sent_ms;
	struct slice message; /* length, then the query under `id` */
	dns_upstream_done *done;
	void *owner;
};

static struct outbound *outbound;
static struct target server;
static struct list asks;
static struct dns_ask **slots; /* made with the first ask */
static unsigned n_asks, next_slot, generation;

static struct dial *dial;
static struct stream *stream;
static struct slice_queue unsent;
static struct dns_frames frames;
static uint64_t heard_ms;
static struct loop_timer timer;
static bool ticking; /* the timer is a tick, not the idle limit */

static void connect_server(void);
static void arm(void);

/* ---- asks ---- */

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
	slots[a->id & (SLOTS - 1)] = NULL;
	n_asks--;
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

static bool take_id(uint16_t *id)
{
	if (!slots)
		slots = calloc(SLOTS, sizeof(struct dns_ask *));
	if (!slots || n_asks == SLOTS)
		return false;
	while (slots[next_slot])
		next_slot = (next_slot + 1) & (SLOTS - 1);
	*id = (uint16_t)(generation++ << SLOT_BITS | next_slot);
	next_slot = (next_slot + 1) & (SLOTS - 1);
	return true;
}

/* ---- the connection ---- */

static void forget_connection(enum flow_end why)
{
	if (stream)
		stream_end(stream, why);
	stream = NULL;
	slice_queue_clear(&unsent);
	dns_frames_clear(&frames);
	list_for_each(it, &asks)
		container_of(it, struct dns_ask, node)->queued = false;
}

/* Those who had their two tries fail; the rest go to a new connection. */
static void reconnect(enum flow_end why)
{
	char text[TARGET_STRLEN];

	forget_connection(why);
	/* done() may ask again, at the end of the list: only those of now are looked at. */
	for (unsigned n = n_asks; n && !list_empty(&asks); n--) {
		struct dns_ask *a = container_of(asks.next, struct dns_ask, node);

		list_move_last(&asks, &a->node);
		if (a->sent < 2)
			continue;
		log_warn("the DNS server %s closes connections without an answer why=%s", target_format(&server, text),
			 flow_end_name(why));
		ask_done(a, NULL, 0);
	}
	connect_server();
}

static void flush(void)
{
	struct slice v[16];
	ssize_t n;
	int count;

	while ((count = slice_queue_peek(&unsent, v, 16)) > 0) {
		n = stream_write(stream, v, count);
		if (n < 0)
			return; /* ended() is on its way */
		slice_queue_drop(&unsent, (size_t)n);
		if ((size_t)n < slices_len(v, count)) {
			stream_want(stream, true, true);
			return;
		}
	}
}

static void queue_ask(struct dns_ask *a)
{
	if (slice_queue_push(&unsent, &a->message, 1) < 0)
		return; /* it fails by its time */
	a->queued = true;
	a->sent++;
	a->sent_ms = loop_now();
}

static bool on_message(void *owner, const uint8_t *msg, size_t len)
{
	struct dns_ask *a;

	(void)owner;
	if (len < DNS_HEADER_LEN)
		return true;
	a = slots ? slots[dns_message_id(msg) & (SLOTS - 1)] : NULL;
	if (a && a->id == dns_message_id(msg) && dns_message_answers(msg, len, ask_query(a), ask_len(a)))
		ask_done(a, msg, len);
	return stream != NULL;
}

static size_t on_data(void *owner, const struct slice *s, int n)
{
	size_t taken = 0;

	(void)owner;
	heard_ms = loop_now();
	for (int i = 0; i < n; i++) {
		size_t part = 0;

		if (dns_frames_feed(&frames, slice_data(&s[i]), s[i].len, &part, on_message, NULL) < 0) {
			reconnect(END_LIMIT);
			return taken;
		}
		taken += part;
		if (part < s[i].len)
			break;
	}
	arm();
	return taken;
}

static void on_room(void *owner)
{
	(void)owner;
	flush();
}

/* Idle servers close; only questions under way make it an event. */
static void on_fin(void *owner)
{
	(void)owner;
	reconnect(END_DONE);
	arm();
}

static void on_ended(void *owner, enum flow_end why)
{
	(void)owner;
	if (n_asks)
		log_debug("the connection to the DNS server broke why=%s", flow_end_name(why));
	reconnect(why);
	arm();
}

static const struct stream_events stream_events = { on_data, on_room, on_fin, on_ended };

static void on_opened(void *owner, struct stream *s)
{
	(void)owner;
	dial = NULL;
	stream = s;
	heard_ms = loop_now();
	stream_bind(s, &stream_events, NULL);
	stream_want(s, true, false);
	list_for_each(it, &asks)
		queue_ask(container_of(it, struct dns_ask, node));
	flush();
	arm();
}

static void fail_all(void)
{
	for (unsigned n = n_asks; n && !list_empty(&asks); n--)
		ask_done(container_of(asks.next, struct dns_ask, node), NULL, 0);
}

static void on_failed(void *owner, enum flow_end why)
{
	char text[TARGET_STRLEN];

	(void)owner;
	dial = NULL;
	log_warn("the DNS server %s cannot be reached through the tunnel why=%s", target_format(&server, text),
		 flow_end_name(why));
	fail_all();
	if (n_asks) /* asked from inside done() */
		connect_server();
	arm();
}

static const struct dial_events dial_events = { on_opened, on_failed };

static void connect_server(void)
{
	if (!n_asks || stream || dial)
		return;
	dial = outbound->ops->connect(outbound, &server, &dial_events, NULL);
	if (!dial)
		log_warn("the DNS server cannot be dialed: out of descriptors or memory");
}

/* ---- time ---- */

static void fail_overdue(uint64_t now)
{
	char text[TARGET_STRLEN];
	uint64_t limit = now - DNS_UPSTREAM_MS;

	for (unsigned n = n_asks; n && !list_empty(&asks); n--) {
		struct dns_ask *a = container_of(asks.next, struct dns_ask, node);

		list_move_last(&asks, &a->node);
		if (a->asked_ms > limit)
			continue;
		log_warn("the DNS server %s did not answer within %d ms", target_format(&server, text), DNS_UPSTREAM_MS);
		ask_done(a, NULL, 0);
	}
}

/* A question went out on a connection that had been idle, and nothing came. */
static bool is_silent(uint64_t now)
{
	list_for_each(it, &asks) {
		const struct dns_ask *a = container_of(it, struct dns_ask, node);

		if (a->queued && heard_ms + WAS_IDLE_MS <= a->sent_ms && now - a->sent_ms >= SILENT_MS)
			return true;
	}
	return false;
}

static void go_idle(void)
{
	forget_connection(END_DONE);
	free(slots);
	slots = NULL;
}

static void on_timer(struct loop_timer *t)
{
	uint64_t now = loop_now();

	(void)t;
	fail_overdue(now);
	if (stream && !n_asks && now - heard_ms >= IDLE_MS)
		go_idle();
	else if (stream && is_silent(now))
		reconnect(END_IDLE);
	connect_server();
	arm();
}

/* One tick serves all deadlines, and traffic does not put it off. */
static void arm(void)
{
	bool tick = n_asks > 0;

	if (tick && ticking && timer.armed)
		return;
	ticking = tick;
	if (tick)
		loop_timer_start(&timer, TICK_MS, on_timer);
	else if (stream)
		loop_timer_start(&timer, IDLE_MS, on_timer);
	else
		loop_timer_stop(&timer);
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

struct dns_ask *dns_upstream_ask(const uint8_t *query, size_t len, dns_upstream_done *done, void *owner)
{
	struct dns_ask *a;

	if (len < DNS_HEADER_LEN || len > DNS_MESSAGE_MAX)
		return NULL;
	a = calloc(1, sizeof(*a));
	if (!a || !take_id(&a->id) || !make_message(a, query, len)) {
		free(a);
		return NULL;
	}
	a->done = done;
	a->owner = owner;
	a->asked_ms = loop_now();
	slots[a->id & (SLOTS - 1)] = a;
	list_append(&asks, &a->node);
	n_asks++;
	dns_state.counters.upstream_queries++;
	if (stream) {
		queue_ask(a);
		flush();
	} else {
		connect_server();
	}
	arm();
	return a;
}

void dns_upstream_cancel(struct dns_ask *a)
{
	ask_free(a);
}

void dns_upstream_init(struct outbound *out, const struct target *to)
{
	outbound = out;
	server = *to;
	list_init(&asks);
	n_asks = 0;
}

void dns_upstream_free(void)
{
	if (dial)
		outbound->ops->cancel(dial);
	dial = NULL;
	list_for_each_safe(it, &asks)
		ask_free(container_of(it, struct dns_ask, node));
	forget_connection(END_SHUTDOWN);
	loop_timer_stop(&timer);
	free(slots);
	slots = NULL;
}
