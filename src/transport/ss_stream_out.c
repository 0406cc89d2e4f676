/*
 * Sending: payload slices become sealed chunks in a pooled buffer, one write to
 * `under` per buffer. A chunk that lies in one slice is sealed straight from
 * there; smaller slices are gathered first, so that a chunk is worth its 34
 * bytes and two AEAD calls.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "crypto/random.h"
#include "transport/ss_stream_impl.h"

/* Chunks as large as SIP004 allows, for SIP022 too: 64 KiB chunks gained
 * nothing in sealing, and the receiver must hold and join them. */
#define CHUNK_MAX 0x3FFFu
/* What lies together in one slice and is at least this long is sealed without
 * copying, even if the chunk could hold more. */
#define DIRECT_MIN 4096u
#define RETRY_MS 10

static_assert(CHUNK_MAX + SS_CHUNK_OVERHEAD <= BUF_MEDIUM, "one chunk fits a medium buffer");

/* Where we are in the caller's slices. */
struct cursor {
	const struct slice *v;
	int n;
	uint32_t off;	/* into v[0] */
	size_t left;	/* bytes in all */
};

/* An output buffer being filled. */
struct filling {
	struct buf *buf;
	uint32_t len, cap;
};

static const uint8_t *cursor_at(const struct cursor *c)
{
	return slice_data(c->v) + c->off;
}

static size_t contiguous(const struct cursor *c)
{
	return c->v->len - c->off;
}

/* Moves on by len <= contiguous. */
static void advance(struct cursor *c, size_t len)
{
	c->off += (uint32_t)len;
	c->left -= len;
	while (c->n && c->off == c->v->len) {
		c->v++;
		c->n--;
		c->off = 0;
	}
}

static void gather(struct cursor *c, uint8_t *out, size_t len)
{
	while (len) {
		size_t part = contiguous(c) < len ? contiguous(c) : len;

		memcpy(out, cursor_at(c), part);
		out += part;
		len -= part;
		advance(c, part);
	}
}

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* ---- space ---- */

/* Bytes that the next buffer starts with, before the payload of its first chunk. */
static size_t header_len(const struct ss_stream *s)
{
	if (s->header_sent)
		return 0;
	if (s->server)
		return ss_response_offset(ss_stream_method(s)) + AEAD_TAG_LEN;
	return ss_request_offset(ss_stream_method(s), s->cfg->identity, &s->begin->hs.target, 0) + AEAD_TAG_LEN;
}

/* Payload that fits in `space` sealed bytes whatever slices it comes in: at
 * worst every chunk is only just worth sealing directly. */
static size_t payload_in(const struct ss_stream *s, size_t space)
{
	size_t overhead = header_len(s) + SS_CHUNK_OVERHEAD * (space / DIRECT_MIN + 2);

	return space > overhead ? space - overhead : 0;
}

size_t ss_stream_out_space(const struct stream *st)
{
	const struct ss_stream *s = ss_stream_of(st);

	if (s->shut || s->told || s->fail != END_DONE)
		return 0;
	return payload_in(s, stream_space(s->under));
}

/* ---- chunks ---- */

/* One chunk into what is left of the buffer; false when nothing fits. */
static bool fill_chunk(struct ss_stream *s, struct cursor *c, struct filling *f)
{
	size_t room = f->cap - f->len, len, together = contiguous(c);
	uint8_t *out = f->buf->data + f->len;

	if (room <= SS_CHUNK_OVERHEAD)
		return false;
	len = min(min(c->left, CHUNK_MAX), room - SS_CHUNK_OVERHEAD);
	if (together >= len || together >= DIRECT_MIN) {
		len = min(len, together);
		f->len += (uint32_t)ss_seal_chunk(&s->sealer, cursor_at(c), len, out);
		advance(c, len);
	} else {
		gather(c, out + SS_CHUNK_OFFSET, len);
		f->len += (uint32_t)ss_seal_chunk(&s->sealer, out + SS_CHUNK_OFFSET, len, out);
	}
	return true;
}

static void fill_request(struct ss_stream *s, struct cursor *c, struct filling *f, uint16_t padding)
{
	const struct ss_method *m = ss_stream_method(s);
	struct ss_handshake *hs = &s->begin->hs;
	size_t offset = ss_request_offset(m, s->cfg->identity, &hs->target, padding);
	size_t len = min(c->left, ss_request_payload_max(m, &hs->target, padding));

	len = min(min(len, CHUNK_MAX), f->cap - f->len - offset - AEAD_TAG_LEN);
	gather(c, f->buf->data + offset, len);
	f->len = (uint32_t)ss_seal_request(&s->sealer, s->cfg->identity, hs->salt, clock_unix(), &hs->target, padding, len,
					   f->buf->data);
	s->header_sent = true;
	loop_timer_stop(&s->timer);
	if (!m->sip022)
		ss_stream_free_beginning(s);
}

static void fill_response(struct ss_stream *s, struct cursor *c, struct filling *f)
{
	const struct ss_method *m = ss_stream_method(s);
	size_t offset = ss_response_offset(m), len = min(min(c->left, CHUNK_MAX), f->cap - offset - AEAD_TAG_LEN);
	uint8_t salt[SS_SALT_MAX];

	random_bytes(salt, m->key_len);
	ss_sealer_init(&s->sealer, m, s->begin->key, salt);
	gather(c, f->buf->data + offset, len);
	f->len = (uint32_t)ss_seal_response(&s->sealer, salt, clock_unix(), s->begin->hs.salt, len, f->buf->data);
	s->header_sent = true;
	ss_stream_free_beginning(s);
}

/* ---- writing ---- */

/* Everything sealed was promised room by stream_space(); it cannot be sealed
 * again, so a short write ends the stream. */
static bool send_filled(struct ss_stream *s, struct filling *f)
{
	struct slice out = { .buf = f->buf, .len = f->len };
	ssize_t sent = stream_write(s->under, &out, 1);

	buf_unref(f->buf);
	if (sent == (ssize_t)f->len)
		return true;
	ss_stream_fail_later(s, sent < 0 ? END_REMOTE_RESET : END_LIMIT);
	return false;
}

/* A buffer for what is left, as `space` allows; -ENOMEM, or 0: not worth it now. */
static int start_filling(struct ss_stream *s, size_t left, struct filling *f)
{
	size_t space = stream_space(s->under), want = header_len(s) + left + SS_CHUNK_OVERHEAD * (left / DIRECT_MIN + 2);

	if (space <= header_len(s) + SS_CHUNK_OVERHEAD)
		return 0;
	want = min(min(want, space), BUF_LARGE);
	f->buf = buf_get((uint32_t)want);
	if (!f->buf)
		return -ENOMEM;
	f->len = 0;
	f->cap = (uint32_t)min(f->buf->size, space);
	return 1;
}

static void on_retry(struct loop_timer *t)
{
	struct ss_stream *s = container_of(t, struct ss_stream, timer);

	if (s->told || !s->want_room)
		return;
	s->want_room = false;
	s->stream.events->room(s->stream.owner);
}

ssize_t ss_stream_out_write(struct stream *st, const struct slice *v, int n)
{
	struct ss_stream *s = ss_stream_of(st);
	struct cursor c = { .v = v, .n = n, .left = slices_len(v, n) };
	size_t total = c.left;

	if (s->shut || s->told || s->fail != END_DONE)
		return -EPIPE;
	advance(&c, 0); /* past empty slices */
	while (c.left) {
		struct filling f;
		int rc = start_filling(s, c.left, &f);

		if (rc < 0 && (s->server || s->header_sent))
			loop_timer_start(&s->timer, RETRY_MS, on_retry);
		if (rc <= 0)
			break;
		if (!s->header_sent && s->server)
			fill_response(s, &c, &f);
		else if (!s->header_sent)
			fill_request(s, &c, &f, 0);
		while (c.left && fill_chunk(s, &c, &f))
			;
		if (!send_filled(s, &f))
			break;
	}
	if (s->payer.user)
		s->payer.user->counters.tcp_down += total - c.left;
	if (s->tally)
		*s->tally->up += total - c.left;
	return (ssize_t)(total - c.left);
}

/* SIP022 must not send an empty request: 1..900 bytes of padding. */
static void send_request_alone(struct ss_stream *s)
{
	const struct ss_method *m = ss_stream_method(s);
	uint32_t least = s->sealer.asks_connect ? TRUE_CONNECT_MARK_LEN : 1;
	uint16_t padding = m->sip022 ? (uint16_t)(least + random_below(SS_PADDING_MAX - least + 1)) : 0;
	size_t need = ss_request_offset(m, s->cfg->identity, &s->begin->hs.target, padding) + AEAD_TAG_LEN;
	struct cursor nothing = { .left = 0 };
	struct filling f = { .buf = buf_get((uint32_t)need) };

	if (!f.buf || stream_space(s->under) < need) {
		if (f.buf)
			buf_unref(f.buf);
		ss_stream_fail_later(s, END_LIMIT);
		return;
	}
	f.cap = f.buf->size;
	fill_request(s, &nothing, &f, padding);
	send_filled(s, &f);
}

/* A server whose target ended without a byte says so: a salt and FIN is a stream
 * of nothing, a bare FIN a failure (docs/decisions/0001-empty-answer.md). */
static void send_salt_alone(struct ss_stream *s)
{
	size_t len = ss_stream_method(s)->key_len;
	struct filling f = { .buf = buf_get((uint32_t)len), .len = (uint32_t)len };

	if (!f.buf)
		return;
	random_bytes(f.buf->data, len);
	s->header_sent = true;
	ss_stream_free_beginning(s);
	send_filled(s, &f);
}

/* The first bytes of the response, the answer in them. */
static size_t fill_first_answer(struct ss_stream *s, enum flow_end why, uint8_t *out)
{
	const struct ss_method *m = ss_stream_method(s);
	uint8_t salt[SS_SALT_MAX];
	size_t len;

	random_bytes(salt, m->key_len);
	ss_sealer_init(&s->sealer, m, s->begin->key, salt);
	len = ss_seal_connect_answer(&s->sealer, salt, clock_unix(), s->begin->hs.salt, why, out);
	s->header_sent = true;
	ss_stream_free_beginning(s);
	return len;
}

bool ss_stream_send_answer(struct ss_stream *s, enum flow_end why)
{
	size_t len = s->header_sent ? SS_CONNECT_ANSWER_CHUNK : ss_connect_answer_len(ss_stream_method(s));
	struct filling f = { .buf = stream_space(s->under) >= len ? buf_get((uint32_t)len) : NULL };

	if (!f.buf)
		return false;
	if (s->header_sent)
		f.len = (uint32_t)ss_seal_connect_answer_chunk(&s->sealer, why, f.buf->data);
	else
		f.len = (uint32_t)fill_first_answer(s, why, f.buf->data);
	return send_filled(s, &f);
}

void ss_stream_send_header(struct ss_stream *s)
{
	if (s->header_sent || s->fail != END_DONE)
		return;
	if (!s->server)
		send_request_alone(s);
	else if (stream_space(s->under) >= ss_stream_method(s)->key_len)
		send_salt_alone(s);
}
