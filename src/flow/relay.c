/*
 * The TCP relay.
 *
 * Theory of operation
 *
 *	    in                                     out
 *	client's stream ──data──► write ──────► target's stream
 *	               ◄───────── write ◄─data──
 *
 * A flow is two sides. What one side offers is written to the other; what the
 * other did not accept stays with the first, whose window therefore closes,
 * until the other tells that it has room. Nothing is buffered here.
 *
 *	DIALING  only in.ended is heard (the client gave up); in is held back
 *	JOINED   data, room, fin, ended of both sides
 *	(freed)  by the deferred pass
 *
 * Events update state, actions never do: fin marks the side that said it and
 * shuts the other. When both have said fin both streams end with END_DONE; any
 * other end passes its word to both at once. The streams themselves finish
 * what they had accepted.
 *
 * Silence: flows stand in two lists in the order of their last activity (kept
 * to the second), one for open and one for half-closed flows, so a sweep looks
 * only at those that are due.
 *
 * A flow with limits takes no more of what is offered than they let pass, and
 * wants no data on that side until its turn comes (limits.c).
 *
 * Where both sides are kernel sockets they are joined (io/tcp_splice.h): bulk
 * goes past data(), and only its amount is told.
 *
 * The relay does not know which inbound or outbound it serves.
 */
#include "flow/relay.h"


#include "base/cells.h"
#include "base/list.h"
#include "base/log.h"
#include "io/tcp_splice.h"
#include "flow/flow_card.h"
#include "loop/loop.h"

#define SWEEP_MS 1000
#define CUT_MAX 64 /* slices that a limited flow hands on at once */

enum side_name { IN, OUT };

struct side {
	struct stream *stream;
	bool fin;	/* it said FIN; the other side was shut */
	bool want_data; /* what we last asked of it, */
	bool want_room; /* both: asking for the one must not take back the other */
};

struct relay {
	struct side side[2];
	struct dial *dial; /* DIALING only */
	struct outbound *outbound;
	struct limits_flow *limit; /* or NULL */
	struct loop_work free_work;
	struct list node; /* in open_flows or half_closed */
	uint64_t active_ms;
	struct flow_card card; /* last: the target's name follows */
};

static struct relay_limits limits;
static struct list open_flows, half_closed;
static struct loop_timer sweep_timer;

static void free_relay(struct loop_work *w)
{
	cell_free(container_of(w, struct relay, free_work));
}

static void finish(struct relay *r, enum flow_end why)
{
	if (r->dial)
		r->outbound->ops->cancel(r->dial);
	r->dial = NULL;
	limits_close(r->limit);
	for (int i = IN; i <= OUT; i++) {
		struct stream *s = r->side[i].stream;

		r->side[i].stream = NULL;
		if (s)
			stream_end(s, why);
	}
	flow_counters.tcp.flows_active--;
	flow_counters.tcp.ended[why]++;
	log_debug("flow ended flow=%llu end=%s up=%llu down=%llu", (unsigned long long)r->card.number, flow_end_name(why),
		  (unsigned long long)r->card.meter.up, (unsigned long long)r->card.meter.down);
	flow_card_close(&r->card);
	list_remove(&r->node);
	loop_defer(&r->free_work, free_relay);
}

/* ---- silence ---- */

static void sweep_list(struct list *flows, uint32_t idle_s)
{
	if (!idle_s)
		return;
	list_for_each_safe (it, flows) {
		struct relay *r = container_of(it, struct relay, node);

		if (loop_now() - r->active_ms < (uint64_t)idle_s * 1000)
			return;
		finish(r, END_IDLE);
	}
}

static void on_sweep(struct loop_timer *t)
{
	sweep_list(&half_closed, limits.half_close_idle_s);
	sweep_list(&open_flows, limits.idle_s);
	if (!list_empty(&half_closed) || !list_empty(&open_flows))
		loop_timer_start(t, SWEEP_MS, on_sweep);
}

static void touch(struct relay *r)
{
	if (loop_now() - r->active_ms < SWEEP_MS)
		return;
	r->active_ms = loop_now();
	flow_meter_touch(&r->card.meter, r->active_ms);
	list_move_last(r->side[IN].fin || r->side[OUT].fin ? &half_closed : &open_flows, &r->node);
}

/* ---- the two sides ---- */

static void want_data(struct side *s)
{
	s->want_data = true;
	stream_want(s->stream, s->want_data, s->want_room);
}

static void want_room(struct side *s)
{
	s->want_room = true;
	stream_want(s->stream, s->want_data, s->want_room);
}

static void count(struct relay *r, enum side_name from, size_t n)
{
	if (from == IN)
		r->card.meter.up += n, flow_counters.tcp.bytes_up += n;
	else
		r->card.meter.down += n, flow_counters.tcp.bytes_down += n;
	touch(r);
}

static size_t on_data(struct relay *r, enum side_name from, const struct slice *v, int n)
{
	struct side *a = &r->side[from], *b = &r->side[!from];
	ssize_t taken = stream_write(b->stream, v, n);

	if (taken < 0)
		taken = 0; /* b has ended; its event is on the way and ends the flow */
	count(r, from, (size_t)taken);
	if ((size_t)taken < slices_len(v, n)) {
		a->want_data = false;
		want_room(b);
	}
	return (size_t)taken;
}

/* The first `len` bytes of v; returns how many slices that are. */
static int cut(const struct slice *v, int n, size_t len, struct slice out[CUT_MAX])
{
	int i = 0;

	for (; i < n && i < CUT_MAX && len; i++) {
		out[i] = v[i];
		if (out[i].len > len)
			out[i].len = (uint32_t)len;
		len -= out[i].len;
	}
	return i;
}

static size_t on_limited_data(struct relay *r, enum side_name from, const struct slice *v, int n)
{
	size_t offered = slices_len(v, n), allowed = limits_ask(r->limit, from, offered), taken;
	struct slice part[CUT_MAX];
	int count;

	if (allowed == offered) {
		taken = on_data(r, from, v, n);
	} else {
		/* The limit calls when there is more to have. */
		r->side[from].want_data = false;
		count = cut(v, n, allowed, part);
		taken = count ? on_data(r, from, part, count) : 0;
	}
	limits_charge(r->limit, taken);
	return taken;
}

static void on_turn(void *owner, int from)
{
	struct relay *r = owner;

	if (!r->side[from].fin)
		want_data(&r->side[from]);
}

static void on_room(struct relay *r, enum side_name where)
{
	struct side *source = &r->side[!where];

	r->side[where].want_room = false; /* the event said it once */
	if (!source->fin)
		want_data(source);
}

static void on_fin(struct relay *r, enum side_name from)
{
	r->side[from].fin = true;
	if (r->side[!from].fin) {
		stream_shut(r->side[!from].stream);
		finish(r, END_DONE);
		return;
	}
	r->active_ms = loop_now();
	list_move_last(&half_closed, &r->node);
	stream_shut(r->side[!from].stream);
}

static size_t data_of(struct relay *r, enum side_name from, const struct slice *v, int n)
{
	return r->limit ? on_limited_data(r, from, v, n) : on_data(r, from, v, n);
}

static size_t in_data(void *owner, const struct slice *v, int n) { return data_of(owner, IN, v, n); }
static size_t out_data(void *owner, const struct slice *v, int n) { return data_of(owner, OUT, v, n); }
static void in_moved(void *owner, size_t n) { count(owner, IN, n); }
static void out_moved(void *owner, size_t n) { count(owner, OUT, n); }
static void in_room(void *owner) { on_room(owner, IN); }
static void out_room(void *owner) { on_room(owner, OUT); }
static void in_fin(void *owner) { on_fin(owner, IN); }
static void out_fin(void *owner) { on_fin(owner, OUT); }
static void out_ended(void *owner, enum flow_end why) { finish(owner, why); }

static void in_ended(void *owner, enum flow_end why)
{
	/* A stream knows only that its peer reset it; here the peer is the client. */
	finish(owner, why == END_REMOTE_RESET ? END_CLIENT_RESET : why);
}

static const struct stream_events in_events = { in_data, in_room, in_fin, in_ended };
static const struct stream_events out_events = { out_data, out_room, out_fin, out_ended };

/* ---- dialing ---- */

static void on_opened(void *owner, struct stream *out)
{
	struct relay *r = owner;

	r->dial = NULL;
	r->side[OUT].stream = out;
	stream_bind(out, &out_events, r);
	flow_card_set_way(&r->card, outbound_way(r->outbound));
	stream_accept(r->side[IN].stream);
	if (!r->limit) /* which wants to see the bytes */
		tcp_splice_join(r->side[IN].stream, in_moved, out, out_moved);
	want_data(&r->side[IN]);
	want_data(&r->side[OUT]);
}

static void on_failed(void *owner, enum flow_end why)
{
	struct relay *r = owner;

	r->dial = NULL;
	finish(r, why);
}

static const struct dial_events dial_events = { on_opened, on_failed };

static void log_opened(const struct relay *r, const struct addr *client, const struct target *target)
{
	char from[ADDR_STRLEN], to[TARGET_STRLEN];

	if (log_level() >= LOG_LEVEL_DEBUG)
		log_debug("flow opened flow=%llu client=%s target=%s outbound=%s", (unsigned long long)r->card.number,
			  addr_format(client, from), target_format(target, to), r->outbound->name);
}

/* ---- the flow's card ---- */

static const struct relay *of_card(const struct flow_card *c)
{
	return container_of(c, struct relay, card);
}

static const char *card_state(const struct flow_card *c, uint64_t *active_ms)
{
	const struct relay *r = of_card(c);

	*active_ms = r->active_ms;
	return !r->side[OUT].stream ? "dialing" : r->side[IN].fin || r->side[OUT].fin ? "half-closed" : "open";
}

static void card_end(struct flow_card *c, enum flow_end why)
{
	finish(container_of(c, struct relay, card), why);
}

static const struct flow_card_ops card_ops = { .protocol = "tcp", .state = card_state, .end = card_end };

static struct relay *new_relay(struct stream *in, const struct addr *client, const struct target *target, struct outbound *out,
			       struct limits_flow *limit)
{
	struct relay *r = cell_new(sizeof(*r) + flow_card_size(target));

	if (!r)
		return NULL;
	r->outbound = out;
	r->limit = limit;
	if (limit)
		limits_bind(limit, on_turn, r);
	r->active_ms = loop_now();
	flow_card_open(&r->card, &card_ops, client, target, r->active_ms);
	r->side[IN].stream = in;
	stream_bind(in, &in_events, r);
	list_init(&r->node);
	list_append(&open_flows, &r->node);
	flow_counters.tcp.flows_active++;
	flow_counters.tcp.flows_opened++;
	return r;
}

static void start(struct stream *in, const struct addr *client, const struct target *target, struct outbound *out,
		  struct limits_flow *limit)
{
	struct relay *r = new_relay(in, client, target, out, limit);

	if (!r) {
		limits_close(limit);
		stream_end(in, END_LIMIT);
		return;
	}
	log_opened(r, client, target);
	if (!loop_timer_armed(&sweep_timer))
		loop_timer_start(&sweep_timer, SWEEP_MS, on_sweep);
	r->dial = outbound_connect(out, client, target, &dial_events, r);
	if (!r->dial)
		finish(r, END_LIMIT);
}

static bool too_many(void)
{
	if (!limits.max_flows || flow_counters.tcp.flows_active < limits.max_flows)
		return false;
	log_warn("too many flows: refused one active=%llu", (unsigned long long)flow_counters.tcp.flows_active);
	return true;
}

void relay_start_limited(struct stream *in, const struct addr *client, const struct target *target, struct outbound *out,
			 struct limits *l, const struct limits_party *party)
{
	struct limits_flow *limit = NULL;

	if (too_many() || (l && limits_open(l, party, &limit) != END_DONE)) {
		flow_counters.tcp.ended[END_LIMIT]++;
		stream_end(in, END_LIMIT);
		return;
	}
	start(in, client, target, out, limit);
}

void relay_start(struct stream *in, const struct addr *client, const struct target *target, struct outbound *out)
{
	relay_start_limited(in, client, target, out, NULL, NULL);
}

/* A flow that still dials has taken nothing from its client, and does not count. */
bool relay_end_deserted(void)
{
	bool more = false;

	list_for_each_safe (it, &half_closed) {
		struct relay *r = container_of(it, struct relay, node);

		if (r->side[IN].fin)
			finish(r, END_DONE);
		else
			more = true;
	}
	list_for_each (it, &open_flows)
		more |= !container_of(it, struct relay, node)->dial;
	return more;
}

void relay_set_limits(const struct relay_limits *l)
{
	limits = *l;
}

int relay_init(const struct relay_limits *l)
{
	limits = *l;
	list_init(&open_flows);
	list_init(&half_closed);
	return 0;
}

void relay_free(void)
{
	while (!list_empty(&open_flows))
		finish(container_of(open_flows.next, struct relay, node), END_SHUTDOWN);
	while (!list_empty(&half_closed))
		finish(container_of(half_closed.next, struct relay, node), END_SHUTDOWN);
	loop_timer_stop(&sweep_timer);
}
