/*
 * A plain HTTP exchange, between the guest's socket and the relay.
 *
 *	client ──body──► [rewritten head, body] ──data()──► relay ──► target
 *	client ◄──────── [rewritten head, body] ◄─write()── relay ◄── target
 *
 * Every exchange has a connection of its own to its target, asked to close
 * behind the response. The client's connection serves one exchange after
 * another as long as both heads allow it and both bodies were seen to their
 * ends; of what it sends ahead nothing is taken. When the response is whole the
 * relay is told that the flow is done, and its end() brings the guest back to
 * ASKING.
 *
 * A target that fails before its head is complete becomes an error of the
 * proxy's own; one that fails later is a reset, because a truncated response
 * must not look whole.
 */
#include "inbound/http_plain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CUT_MAX 64

struct http_plain {
	struct guest *guest;
	struct buf *request; /* the rewritten head, until the relay has taken it */
	uint32_t request_at, request_len;
	struct buf *response; /* the head as it comes */
	uint32_t response_len;
	struct http_body up, down;
	bool keep_alive, to_head, head_sent, want_data;
	bool over; /* the relay is to be told `result` */
	bool told; /* it was told of the end, whichever, and has only end() left */
	enum flow_end result;
	struct loop_work work;
};

static struct guest *of(const struct stream *s)
{
	return container_of((struct stream *)(uintptr_t)s, struct guest, stream);
}

static void release(struct buf **b)
{
	if (*b)
		buf_unref(*b);
	*b = NULL;
}

static void plain_free(struct http_plain *p)
{
	release(&p->request);
	release(&p->response);
	loop_defer_cancel(&p->work);
	p->guest->plain = NULL;
	free(p);
}

/* ---- towards the relay ---- */

static void deliver_head(struct http_plain *p)
{
	struct stream *s = &p->guest->stream;
	struct slice head = { p->request, p->request_at, p->request_len - p->request_at };
	size_t taken = s->events->data(s->owner, &head, 1);

	p->request_at += (uint32_t)taken;
	if (p->request_at < p->request_len) {
		p->want_data = false; /* asked for again when there is room */
		return;
	}
	release(&p->request);
	if (p->want_data && !p->up.done)
		stream_want(p->guest->under, true, false);
}

static void tell_ended(struct http_plain *p, enum flow_end why)
{
	struct stream *s = &p->guest->stream;

	if (p->told)
		return;
	p->told = true;
	s->events->ended(s->owner, why);
}

static void work(struct loop_work *w)
{
	struct http_plain *p = container_of(w, struct http_plain, work);

	if (p->over)
		tell_ended(p, p->result);
	else if (p->request && p->want_data && !p->told)
		deliver_head(p);
}

static void finish(struct http_plain *p, enum flow_end why)
{
	if (p->over)
		return;
	p->over = true;
	p->result = why;
	loop_defer(&p->work, work);
}

/* The part of these slices, `skip` bytes on, that belongs to the body, or -EPROTO. */
static ssize_t cut(const struct http_body *body, const struct slice *v, int n, size_t skip, struct slice *out, int *count)
{
	struct http_body probe = *body;
	size_t total = 0;

	*count = 0;
	for (int i = 0; i < n && *count < CUT_MAX && !probe.done; i++) {
		size_t from = skip < v[i].len ? skip : v[i].len;
		ssize_t len = http_body_scan(&probe, slice_data(&v[i]) + from, v[i].len - from);

		skip -= from;
		if (len < 0)
			return len;
		if (len)
			out[(*count)++] = (struct slice){ v[i].buf, v[i].off + (uint32_t)from, (uint32_t)len };
		total += (size_t)len;
	}
	return (ssize_t)total;
}

/* The first `taken` bytes of what was cut have gone. */
static void advance(struct http_body *body, const struct slice *v, int n, size_t taken)
{
	for (int i = 0; i < n && taken; i++) {
		size_t len = v[i].len < taken ? v[i].len : taken;

		http_body_scan(body, slice_data(&v[i]), len);
		taken -= len;
	}
}

static size_t client_data(void *owner, const struct slice *v, int n)
{
	struct http_plain *p = owner;
	struct stream *s = &p->guest->stream;
	struct slice part[CUT_MAX];
	struct http_body before = p->up;
	int count;
	ssize_t len = p->over || p->request ? 0 : cut(&p->up, v, n, 0, part, &count);
	size_t taken;

	if (len < 0)
		finish(p, END_PROTOCOL);
	if (len <= 0)
		return 0;
	/* Before they are handed over: the reader may overwrite what it takes. */
	advance(&p->up, part, count, (size_t)len);
	taken = s->events->data(s->owner, part, count);
	if (taken < (size_t)len) {
		p->up = before;
		advance(&p->up, part, count, taken);
		p->want_data = false;
	} else if (p->up.done) {
		stream_want(p->guest->under, false, false);
	}
	return taken;
}

static void client_room(void *owner)
{
	struct http_plain *p = owner;
	struct stream *s = &p->guest->stream;

	if (!p->over)
		s->events->room(s->owner);
}

/* Data is wanted only while the request's body is not whole. */
static void client_fin(void *owner)
{
	finish(owner, END_CLIENT_RESET);
}

static void client_ended(void *owner, enum flow_end why)
{
	struct http_plain *p = owner;

	p->guest->client_gone = true;
	tell_ended(p, why);
}

static const struct stream_events client_events = { client_data, client_room, client_fin, client_ended };

/* ---- from the relay ---- */

static void plain_accept(struct stream *s) { (void)s; }
static size_t plain_space(const struct stream *s) { return stream_space(of(s)->under); }

static void plain_want(struct stream *s, bool data, bool room)
{
	struct http_plain *p = of(s)->plain;

	p->want_data = data;
	if (data && p->request)
		loop_defer(&p->work, work);
	stream_want(p->guest->under, data && !p->request && !p->up.done && !p->over, room);
}

/* The response's head is whole: `len` bytes of p->response. */
static void send_head(struct http_plain *p, const struct http_head *h, size_t len)
{
	struct buf *out = buf_get(HTTP_HEAD_OUT_MAX);
	struct slice s = { out, 0, 0 };

	if (!out) {
		finish(p, END_LIMIT);
		return;
	}
	if (h->status >= 200) {
		http_body_init(&p->down, h->framing, h->length);
		p->keep_alive &= p->up.done && h->framing != HTTP_UNTIL_CLOSE;
		p->head_sent = true;
	}
	s.len = (uint32_t)http_write_response(h, p->response->data, len, p->keep_alive, out->data);
	stream_write(p->guest->under, &s, 1); /* there is room: plain_write saw to it */
	buf_unref(out);
	p->response_len = 0;
	if (p->head_sent)
		release(&p->response);
	if (p->head_sent && p->down.done)
		finish(p, END_DONE);
}

/* Collects the response's head from byte `skip` on; returns what it took. */
static size_t take_head(struct http_plain *p, const struct slice *v, int n, size_t skip)
{
	uint32_t before = p->response_len;
	struct http_head h;
	ssize_t len;

	if (!p->response)
		p->response = buf_get(HTTP_HEAD_MAX);
	if (!p->response) {
		finish(p, END_LIMIT);
		return 0;
	}
	for (int i = 0; i < n && p->response_len < HTTP_HEAD_MAX; i++) {
		size_t from = skip < v[i].len ? skip : v[i].len, part = v[i].len - from;

		part = part < HTTP_HEAD_MAX - p->response_len ? part : HTTP_HEAD_MAX - p->response_len;
		memcpy(p->response->data + p->response_len, slice_data(&v[i]) + from, part);
		p->response_len += (uint32_t)part;
		skip -= from;
	}
	len = http_read_response(p->response->data, p->response_len, p->to_head, &h);
	if (len < 0 || (len == 0 && p->response_len == HTTP_HEAD_MAX))
		finish(p, END_PROTOCOL);
	if (len <= 0)
		return p->response_len - before;
	send_head(p, &h, (size_t)len);
	return (size_t)len - before;
}

static ssize_t take_body(struct http_plain *p, const struct slice *v, int n, size_t skip, bool *all)
{
	struct slice part[CUT_MAX];
	int count;
	ssize_t len = cut(&p->down, v, n, skip, part, &count), taken;

	*all = false;
	if (len < 0) {
		finish(p, END_PROTOCOL);
		return 0;
	}
	taken = stream_write(p->guest->under, part, count);
	if (taken <= 0)
		return taken;
	advance(&p->down, part, count, (size_t)taken);
	*all = taken == len;
	if (p->down.done)
		finish(p, END_DONE);
	return taken;
}

static ssize_t plain_write(struct stream *s, const struct slice *v, int n)
{
	struct http_plain *p = of(s)->plain;
	size_t total = slices_len(v, n), at = 0;
	bool more = true;

	while (at < total && more && !p->over) {
		if (!p->head_sent) {
			if (stream_space(p->guest->under) < HTTP_HEAD_OUT_MAX)
				break;
			at += take_head(p, v, n, at);
		} else {
			ssize_t taken = take_body(p, v, n, at, &more);

			if (taken < 0)
				return at ? (ssize_t)at : taken;
			at += (size_t)taken;
		}
	}
	return (ssize_t)(p->over ? total : at); /* behind the response nothing matters */
}

/* The target has said its last. */
static void plain_shut(struct stream *s)
{
	struct http_plain *p = of(s)->plain;

	if (!p->head_sent)
		finish(p, END_NO_REPLY);
	else
		finish(p, p->down.framing == HTTP_UNTIL_CLOSE ? END_DONE : END_TRUNCATED);
}

static void plain_end(struct stream *s, enum flow_end why)
{
	struct guest *g = of(s);
	bool whole = g->plain->over && g->plain->result == END_DONE && why == END_DONE;
	bool keep = whole && g->plain->keep_alive && !g->client_gone, head_sent = g->plain->head_sent;
	uint8_t out[HTTP_REPLY_MAX];

	plain_free(g->plain);
	if (keep) {
		guest_ask_again(g);
	} else if (whole) {
		guest_leave(g, END_DONE);
	} else if (!head_sent && !g->client_gone && why != END_SHUTDOWN) {
		guest_say(g, out, http_write_reply(why == END_CLIENT_RESET ? 400 : http_status_of(why == END_DONE ? END_NO_REPLY : why), out));
		guest_turn_away(g);
	} else {
		guest_leave(g, why == END_DONE ? END_TRUNCATED : why);
	}
}

static const struct stream_ops plain_ops = {
	.accept = plain_accept,
	.write = plain_write,
	.space = plain_space,
	.want = plain_want,
	.shut = plain_shut,
	.end = plain_end,
};

/* ---- life ---- */

int http_plain_start(struct guest *g, const struct http_head *h, const uint8_t *in, size_t len)
{
	struct http_plain *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->guest = g;
	p->request = buf_get(HTTP_HEAD_OUT_MAX);
	if (!p->request) {
		free(p);
		return -ENOMEM;
	}
	p->request_len = (uint32_t)http_write_request(h, in, len, p->request->data);
	p->keep_alive = h->keep_alive;
	p->to_head = h->is_head;
	http_body_init(&p->up, h->framing, h->length);
	http_body_init(&p->down, HTTP_NO_BODY, 0);
	g->plain = p;
	guest_exchange(g, &plain_ops, &client_events, p);
	return 0;
}
