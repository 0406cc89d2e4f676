/*
 * The handshake with a proxy.
 *
 *	SOCKS5	METHOD (→ LOGIN) → REPLY → stands
 *	HTTP	RESPONSE → stands
 *
 * What the proxy says is gathered until a message is whole. What follows the
 * last one is the target's and stays in the stream for the next owner, which
 * gets it from the deferred pass: inside data() a stream cannot change hands,
 * because what it was told to want would be lost.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "outbound/proxy_impl.h"
#include "proto/http_client.h"

static void let_go(struct proxy_dial *d)
{
	loop_timer_stop(&d->limit);
	if (d->answer)
		buf_unref(d->answer);
	d->answer = NULL;
}

void proxy_dial_cancel(struct proxy_dial *d)
{
	let_go(d);
	loop_defer_cancel(&d->stands_work);
	if (d->stream)
		stream_end(d->stream, END_DONE);
	else
		reach_cancel(&d->reach);
	d->stream = NULL;
}

static void fail(struct proxy_dial *d, enum flow_end why, const char *sentence)
{
	char target[TARGET_STRLEN];

	log_warn("proxy %s %s target=%s end=%s", d->proxy->outbound.name, sentence, target_format(&d->target, target),
		 flow_end_name(why));
	let_go(d);
	loop_defer_cancel(&d->stands_work);
	if (d->stream)
		stream_end(d->stream, END_DONE);
	d->stream = NULL;
	d->events->failed(d->owner, why);
}

/* ---- what we say ---- */

static bool say(struct proxy_dial *d, const uint8_t *text, size_t len)
{
	struct buf *b = buf_get((uint32_t)len);
	struct slice s = { .buf = b, .len = (uint32_t)len };
	ssize_t sent;

	if (!b)
		return false;
	memcpy(b->data, text, len);
	sent = stream_write(d->stream, &s, 1);
	buf_unref(b);
	return sent == (ssize_t)len;
}

static bool say_greeting(struct proxy_dial *d)
{
	uint8_t out[4];

	d->step = PROXY_METHOD;
	return say(d, out, socks_write_greeting(out, d->proxy->user != NULL));
}

static bool say_login(struct proxy_dial *d)
{
	uint8_t out[513];

	d->step = PROXY_LOGIN;
	return say(d, out, socks_write_login(out, d->proxy->user, d->proxy->password));
}

static bool say_request(struct proxy_dial *d)
{
	uint8_t out[SOCKS_UDP_HEADER_MAX + 3];

	d->step = PROXY_REPLY;
	return say(d, out, socks_write_request(out, d->command, &d->target));
}

static bool say_connect(struct proxy_dial *d)
{
	uint8_t out[HTTP_CONNECT_MAX];
	ssize_t len = http_write_connect(&d->target, d->proxy->user, d->proxy->password, out);

	d->step = PROXY_RESPONSE;
	return len > 0 && say(d, out, (size_t)len);
}

/* ---- what the proxy says: each reader takes one message off the front ---- */

static void on_stands(struct loop_work *w)
{
	struct proxy_dial *d = container_of(w, struct proxy_dial, stands_work);
	struct stream *s = d->stream;

	let_go(d);
	d->stream = NULL;
	d->events->opened(d->owner, s, &d->bound);
}

static void stand(struct proxy_dial *d)
{
	d->step = PROXY_STANDS;
	stream_want(d->stream, false, false);
	loop_defer(&d->stands_work, on_stands);
}

static ssize_t read_method(struct proxy_dial *d, const uint8_t *in, size_t len)
{
	uint8_t method;
	ssize_t n = socks_read_method(in, len, &method);

	if (n <= 0)
		return n;
	if (method == SOCKS_METHOD_PASSWORD && d->proxy->user)
		return say_login(d) ? n : -ENOMEM;
	if (method == SOCKS_METHOD_NONE)
		return say_request(d) ? n : -ENOMEM;
	fail(d, END_DENIED, d->proxy->user ? "takes no password" : "asks for a name and a password: outbound_proxy takes USER:PASSWORD@");
	return n;
}

static ssize_t read_login(struct proxy_dial *d, const uint8_t *in, size_t len)
{
	bool ok;
	ssize_t n = socks_read_login_status(in, len, &ok);

	if (n <= 0)
		return n;
	if (ok)
		return say_request(d) ? n : -ENOMEM;
	fail(d, END_DENIED, "does not take this name and password");
	return n;
}

static ssize_t read_reply(struct proxy_dial *d, const uint8_t *in, size_t len)
{
	uint8_t reply;
	ssize_t n = socks_read_reply(in, len, &reply, &d->bound);

	if (n <= 0)
		return n;
	if (reply == SOCKS_OK)
		stand(d);
	else
		fail(d, socks_end_of(reply), reply == SOCKS_NO_COMMAND ? "knows no such command (UDP?)" : "has not reached the target");
	return n;
}

static ssize_t read_response(struct proxy_dial *d, const uint8_t *in, size_t len)
{
	struct http_head head;
	ssize_t n = http_read_response(in, len, true, &head);

	if (n <= 0)
		return n < 0 ? -EPROTO : 0;
	if (head.status < 200)
		return n; /* more will come */
	if (head.status < 300)
		stand(d);
	else
		fail(d, http_end_of(head.status),
		     head.status == 407 ? "asks for a name and a password, or does not take these" : "has not reached the target");
	return n;
}

static ssize_t read_message(struct proxy_dial *d)
{
	const uint8_t *in = d->answer->data;

	switch (d->step) {
	case PROXY_METHOD:
		return read_method(d, in, d->answer_len);
	case PROXY_LOGIN:
		return read_login(d, in, d->answer_len);
	case PROXY_REPLY:
		return read_reply(d, in, d->answer_len);
	case PROXY_RESPONSE:
		return read_response(d, in, d->answer_len);
	case PROXY_STANDS:
		break;
	}
	return 0;
}

/* Messages until one is not whole, the dial has failed, or it stands. */
static void read_messages(struct proxy_dial *d)
{
	while (d->stream && d->step != PROXY_STANDS && d->answer_len) {
		ssize_t n = read_message(d);

		if (!d->stream)
			return;
		if (n == 0 && d->answer_len < HTTP_HEAD_MAX)
			return;
		if (n <= 0) {
			fail(d, n == -ENOMEM ? END_LIMIT : END_PROTOCOL, "says what is no answer: is it a proxy of this kind?");
			return;
		}
		d->answer_len -= (uint32_t)n;
		memmove(d->answer->data, d->answer->data + n, d->answer_len);
	}
}

/* How much of this slice is the proxy's own words. */
static size_t take(struct proxy_dial *d, const struct slice *v)
{
	uint32_t room = HTTP_HEAD_MAX - d->answer_len, part = v->len < room ? v->len : room;

	memcpy(d->answer->data + d->answer_len, slice_data(v), part);
	d->answer_len += part;
	read_messages(d);
	return d->stream && d->step == PROXY_STANDS ? part - d->answer_len : part;
}

static size_t on_data(void *owner, const struct slice *v, int n)
{
	struct proxy_dial *d = owner;
	size_t taken = 0;

	if (!d->answer)
		d->answer = buf_get(HTTP_HEAD_MAX);
	if (!d->answer) {
		fail(d, END_LIMIT, "cannot be heard: out of memory");
		return slices_len(v, n);
	}
	for (int i = 0; i < n && d->stream && d->step != PROXY_STANDS; i++)
		taken += take(d, &v[i]);
	return d->stream ? taken : slices_len(v, n);
}

static void on_room(void *owner)
{
	(void)owner;
}

static void on_fin(void *owner)
{
	fail(owner, END_NO_REPLY, "closed the connection without an answer");
}

static void on_ended(void *owner, enum flow_end why)
{
	fail(owner, why, "broke the connection");
}

static const struct stream_events stream_events = { on_data, on_room, on_fin, on_ended };

/* ---- the connection ---- */

static void on_limit(struct loop_timer *t)
{
	fail(container_of(t, struct proxy_dial, limit), END_CONNECT_TIMEOUT, "has not answered in time");
}

static void on_reached(void *owner, struct stream *s)
{
	struct proxy_dial *d = owner;

	d->stream = s;
	stream_bind(s, &stream_events, d);
	loop_timer_start(&d->limit, d->proxy->dial.limit_ms, on_limit);
	if (d->proxy->http ? say_connect(d) : say_greeting(d))
		stream_want(s, true, false);
	else
		fail(d, END_LIMIT, "cannot be asked for this");
}

static void on_unreached(void *owner, enum flow_end why)
{
	fail(owner, why, "cannot be reached");
}

static const struct dial_events reach_events = { on_reached, on_unreached };

void proxy_dial_start(struct proxy_dial *d, struct proxy *p, enum socks_command command, const struct target *target,
		      const struct proxy_dial_events *events, void *owner)
{
	d->proxy = p;
	d->command = command;
	d->target = *target;
	d->events = events;
	d->owner = owner;
	reach_start(&d->reach, p->via, &p->address, &p->dial, &reach_events, d);
}
