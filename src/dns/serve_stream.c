/*
 * DNS over TCP for the apps (RFC 7766): any number of queries on one
 * connection, answered in whatever order they are known.
 *
 * A connection stops being read while ASKS_MAX of its queries wait for
 * upstream or REPLIES_MAX bytes of its answers wait for the app: its own
 * receive window is the bound. After the app's FIN what was asked is still
 * answered. One that says nothing for IDLE_MS, or one too many, is ended.
 *
 * What ended is freed from deferred work, never inside a callback.
 */
#include <stdlib.h>

#include "base/list.h"
#include "base/log.h"
#include "dns/frames.h"
#include "dns/service.h"
#include "loop/loop.h"

#define STREAMS_MAX 1024u
#define ASKS_MAX 64u
#define REPLIES_MAX (256u * 1024)
#define IDLE_MS 30000u
#define PREFIX 2u

struct served {
	struct dns_service *service;
	struct stream *stream; /* NULL: ended, to be freed */
	struct dns_frames frames;
	struct slice_queue replies;
	struct list node, asks;
	unsigned n_asks;
	bool paused; /* data was left with the stream */
	bool fin;    /* the app asks nothing more */
	struct loop_timer idle;
	struct loop_work work;
};

struct served_ask {
	struct list node;
	struct served *served;
	void *ask; /* the service's */
	struct dns_question question;
};

static struct list all = { &all, &all };
static unsigned n_all;

/* ---- ends ---- */

static void drop_asks(struct served *s)
{
	list_for_each_safe(it, &s->asks) {
		struct served_ask *a = container_of(it, struct served_ask, node);

		s->service->ops->cancel(s->service, a->ask);
		list_remove(&a->node);
		free(a);
	}
	s->n_asks = 0;
}

static void served_free(struct loop_work *w)
{
	struct served *s = container_of(w, struct served, work);

	dns_frames_clear(&s->frames);
	list_remove(&s->node);
	n_all--;
	free(s);
}

static void end(struct served *s, enum flow_end why)
{
	if (!s->stream)
		return;
	stream_end(s->stream, why);
	s->stream = NULL;
	drop_asks(s);
	slice_queue_clear(&s->replies);
	loop_timer_stop(&s->idle);
	loop_defer(&s->work, served_free);
}

static void on_idle(struct loop_timer *t)
{
	end(container_of(t, struct served, idle), END_DONE);
}

/* ---- answers ---- */

static bool is_full(const struct served *s)
{
	return s->n_asks >= ASKS_MAX || s->replies.bytes >= REPLIES_MAX;
}

/* Writes what the stream takes; goes on reading, or ends, where that is due. */
static void flush(struct served *s)
{
	struct slice v[16];
	bool room = false;
	int count;

	while (!room && (count = slice_queue_peek(&s->replies, v, 16)) > 0) {
		ssize_t n = stream_write(s->stream, v, count);

		if (n < 0)
			return; /* ended() is on its way */
		room = (size_t)n < slices_len(v, count);
		slice_queue_drop(&s->replies, (size_t)n);
	}
	if (s->fin && !s->n_asks && !s->replies.bytes) {
		end(s, END_DONE);
		return;
	}
	if (s->paused && !is_full(s))
		s->paused = false;
	stream_want(s->stream, !s->paused && !s->fin, room);
}

/* False: no memory, and the connection has ended. */
static bool push_reply(struct served *s, struct buf *b, size_t len)
{
	struct slice v = { b, 0, (uint32_t)(PREFIX + len) };

	b->data[0] = (uint8_t)(len >> 8);
	b->data[1] = (uint8_t)len;
	if (slice_queue_push(&s->replies, &v, 1) == 0)
		return true;
	end(s, END_LIMIT);
	return false;
}

static void on_upstream(void *owner, const uint8_t *query, const uint8_t *reply, size_t reply_len)
{
	struct served_ask *a = owner;
	struct served *s = a->served;
	size_t room = reply_len > DNS_ANSWER_MAX ? reply_len : DNS_ANSWER_MAX;
	struct buf *b = buf_get((uint32_t)(PREFIX + room));

	list_remove(&a->node);
	s->n_asks--;
	if (!b) {
		end(s, END_LIMIT);
	} else {
		size_t len = dns_answer_upstream(query, &a->question, reply, reply_len, b->data + PREFIX, room);

		if (push_reply(s, b, len))
			flush(s);
		buf_unref(b);
	}
	free(a);
}

static bool forward(struct served *s, const struct dns_question *q, const uint8_t *msg, size_t len)
{
	struct served_ask *a = malloc(sizeof(*a));

	if (!a)
		return false;
	a->served = s;
	a->question = *q;
	a->ask = s->service->ops->ask(s->service, q, msg, len, on_upstream, a);
	if (!a->ask) {
		free(a);
		return false;
	}
	list_append(&s->asks, &a->node);
	s->n_asks++;
	return true;
}

/* ---- queries ---- */

/* False: read no more for now. */
static bool on_query(void *owner, const uint8_t *msg, size_t len)
{
	struct served *s = owner;
	struct buf *b = buf_get(BUF_SMALL);
	struct dns_question q;
	enum dns_outcome outcome;
	size_t out_len = 0;

	if (!b) {
		end(s, END_LIMIT);
		return false;
	}
	outcome = dns_service_answer(s->service, msg, len, loop_now(), &q, b->data + PREFIX, &out_len);
	if (outcome == DNS_FORWARD && !forward(s, &q, msg, len)) {
		out_len = dns_answer_rcode(msg, &q, DNS_RCODE_SERVFAIL, b->data + PREFIX);
		outcome = DNS_ANSWERED;
	}
	if (outcome == DNS_DROP)
		end(s, END_PROTOCOL); /* not DNS: there is no next message to trust */
	else if (outcome == DNS_ANSWERED)
		push_reply(s, b, out_len);
	buf_unref(b);
	return s->stream && !is_full(s);
}

/* Feeds one slice; returns the bytes taken: fewer than all only when the
 * connection is full, or ended. */
static size_t feed(struct served *s, const struct slice *v)
{
	size_t at = 0;

	while (s->stream && at < v->len && !s->paused) {
		size_t part = 0;

		if (dns_frames_feed(&s->frames, slice_data(v) + at, v->len - at, &part, on_query, s) < 0)
			end(s, END_LIMIT);
		at += part;
		if (s->stream && is_full(s)) {
			s->paused = true;
			flush(s); /* which goes on where the stream has room */
		}
	}
	return at;
}

static size_t on_data(void *owner, const struct slice *v, int n)
{
	struct served *s = owner;
	size_t taken = 0;

	loop_timer_start(&s->idle, IDLE_MS, on_idle);
	for (int i = 0; i < n; i++) {
		size_t part = feed(s, &v[i]);

		taken += part;
		if (part < v[i].len)
			break;
	}
	if (s->stream)
		flush(s);
	return taken;
}

static void on_room(void *owner)
{
	flush(owner);
}

static void on_fin(void *owner)
{
	struct served *s = owner;

	s->fin = true;
	flush(s);
}

static void on_ended(void *owner, enum flow_end why)
{
	end(owner, why);
}

static const struct stream_events stream_events = { on_data, on_room, on_fin, on_ended };

void dns_service_serve(struct dns_service *service, struct stream *stream)
{
	struct served *s = n_all < STREAMS_MAX ? calloc(1, sizeof(*s)) : NULL;

	if (!s) {
		log_warn("too many DNS connections, one was refused limit=%u", STREAMS_MAX);
		stream_end(stream, END_LIMIT);
		return;
	}
	s->service = service;
	s->stream = stream;
	list_init(&s->asks);
	list_append(&all, &s->node);
	n_all++;
	stream_bind(stream, &stream_events, s);
	stream_accept(stream);
	stream_want(stream, true, false);
	loop_timer_start(&s->idle, IDLE_MS, on_idle);
}

void dns_service_end(struct dns_service *service)
{
	list_for_each_safe(it, &all) {
		struct served *s = container_of(it, struct served, node);

		if (s->service != service)
			continue;
		end(s, END_SHUTDOWN);
		loop_defer_cancel(&s->work);
		served_free(&s->work);
	}
}
