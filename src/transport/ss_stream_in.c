/*
 * Receiving: bytes of `under` become units, units are opened in place, payload
 * goes to the owner.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "transport/ss_stream_impl.h"

/* Payloads up to this size move up to the one before them, so that a peer that
 * writes byte by byte does not make a slice of each. */
#define JOIN_MAX 512u

enum flow_end ss_stream_end_of(const struct ss_stream *s, int err)
{
	switch (err) {
	case -EBADMSG:
		return END_FORGED;
	case -EEXIST:
		return END_REPLAY;
	case -ETIME:
		log_warn("the %s's clock is off by more than %d s: SIP022 refuses it offset_s=%lld", s->server ? "client" : "server",
			 30, (long long)(s->begin->hs.timestamp - clock_unix()));
		return END_CLOCK;
	case -ENOSPC:
	case -ENOMEM:
		return END_LIMIT;
	default:
		return END_PROTOCOL;
	}
}

/* What `under` should tell us, after any change of what we want. */
void ss_stream_under_want(struct ss_stream *s)
{
	stream_want(s->under, (s->want_data || s->asking) && !s->in.bytes && !s->fin_seen && !s->told, s->want_room && !s->told);
}

void ss_stream_tell_ended(struct ss_stream *s, enum flow_end why)
{
	if (s->dead || s->told)
		return;
	s->told = true;
	loop_timer_stop(&s->timer);
	ss_stream_under_want(s);
	if (s->asking) {
		ss_stream_answer_broke(s, why);
		return;
	}
	s->stream.events->ended(s->stream.owner, why);
}

/* ---- units ---- */

/* Copies from v into the carry what its unit still lacks. */
static int carry_on(struct ss_stream *s, const struct slice *v, uint32_t *off)
{
	uint32_t rest = v->len - *off, take = s->opener.need;

	if (!s->carry.buf) {
		s->carry.buf = buf_get(s->opener.need);
		if (!s->carry.buf)
			return -ENOMEM;
		s->carry.off = s->carry.len = 0;
	}
	take -= s->carry.len;
	if (take > rest)
		take = rest;
	memcpy(s->carry.buf->data + s->carry.len, slice_data(v) + *off, take);
	s->carry.len += take;
	*off += take;
	return s->carry.len == s->opener.need;
}

static int open_next(struct ss_stream *s, uint8_t *unit, struct ss_opened *out)
{
	bool head = s->opener.unit == SS_UNIT_HEAD;
	uint64_t now = head ? clock_unix() : 0;
	int err = ss_opener_next(&s->opener, s->cfg->key, s->begin ? &s->begin->hs : NULL, now, unit, out);

	if (head && s->cfg->skew && s->begin && s->begin->hs.timestamp && (!err || err == -ETIME))
		clock_skew_measure(s->cfg->skew, s->begin->hs.timestamp);
	return err;
}

int ss_stream_open_unit(struct ss_stream *s, const struct slice *v, uint32_t *off, struct slice *out, struct ss_batch *b)
{
	struct ss_opened opened;
	int rc;

	if (!s->carry.buf && v->len - *off >= s->opener.need) {
		*out = (struct slice){ .buf = v->buf, .off = v->off + *off };
		*off += s->opener.need;
	} else {
		rc = carry_on(s, v, off);
		if (rc <= 0)
			return rc;
		*out = (struct slice){ .buf = s->carry.buf };
		b->bufs[b->held++] = s->carry.buf;
		s->carry.buf = NULL;
	}
	rc = open_next(s, slice_data(out), &opened);
	if (rc < 0)
		return rc;
	out->off = (uint32_t)(opened.data - out->buf->data);
	out->len = (uint32_t)opened.len;
	return 1;
}

/* ---- delivery ---- */

void ss_batch_release(struct ss_batch *b)
{
	for (int i = 0; i < b->held; i++)
		buf_unref(b->bufs[i]);
	b->n = b->held = 0;
}

/* Hands the batch on; false when the stream is over. */
static bool deliver(struct ss_stream *s, struct ss_batch *b)
{
	size_t total = slices_len(b->v, b->n), taken = 0;
	int rc = 0;

	if (s->asked && !ss_stream_note_answer(s, total != 0)) {
		ss_batch_release(b);
		return false;
	}
	if (total && s->cfg->proven)
		*s->cfg->proven = true;
	if (s->payer.user)
		s->payer.user->counters.tcp_up += total;
	if (s->tally && total) {
		*s->tally->down += total;
		s->tally->heard_ms = loop_now();
	}
	if (total && s->want_data && !s->in.bytes) {
		taken = s->stream.events->data(s->stream.owner, b->v, b->n);
		if (taken < total)
			s->want_data = false;
	}
	if (!s->dead && taken < total)
		rc = slice_queue_push_rest(&s->in, b->v, b->n, taken);
	ss_batch_release(b);
	if (rc < 0)
		ss_stream_tell_ended(s, END_LIMIT);
	return !s->dead && !s->told;
}

/* Joins only within the received slice v: beyond its ends the buffer holds
 * other sockets' bytes. */
static void add(struct ss_batch *b, const struct slice *v, const struct slice *piece)
{
	struct slice *last = b->n ? &b->v[b->n - 1] : NULL;

	if (last && piece->len <= JOIN_MAX && piece->buf == v->buf && last->buf == v->buf && last->off >= v->off &&
	    last->off < piece->off) {
		memmove(slice_data(last) + last->len, slice_data(piece), piece->len);
		last->len += piece->len;
		return;
	}
	b->v[b->n++] = *piece;
}

/* All of one slice; false when the stream is over. */
static bool open_slice(struct ss_stream *s, const struct slice *v, struct ss_batch *b)
{
	uint32_t off = 0;

	while (off < v->len) {
		struct slice piece;
		int rc = ss_stream_open_unit(s, v, &off, &piece, b);

		if (rc < 0) {
			if (deliver(s, b))
				ss_stream_tell_ended(s, ss_stream_end_of(s, rc));
			return false;
		}
		if (rc > 0 && piece.len)
			add(b, v, &piece);
		if ((b->n == BATCH_SLICES || b->held == BATCH_HELD) && !deliver(s, b))
			return false;
	}
	return true;
}

/* The client needs nothing of the beginning once the server's head is open. */
static void forget_beginning(struct ss_stream *s)
{
	if (!s->server && s->begin && s->header_sent && s->opener.unit != SS_UNIT_HEAD && !s->asked)
		ss_stream_free_beginning(s);
}

size_t ss_stream_on_data(void *owner, const struct slice *v, int n)
{
	struct ss_stream *s = owner;
	struct ss_batch b;

	b.n = b.held = 0;
	if (s->dead || s->told)
		return slices_len(v, n);
	s->replied = true;
	for (int i = 0; i < n; i++)
		if (!open_slice(s, &v[i], &b)) {
			ss_batch_release(&b);
			return slices_len(v, n);
		}
	if (deliver(s, &b)) {
		forget_beginning(s);
		if (s->in.bytes)
			ss_stream_under_want(s);
	}
	return slices_len(v, n);
}

void ss_stream_drain(struct ss_stream *s)
{
	while (s->want_data && s->in.bytes) {
		struct slice v[BATCH_SLICES];
		int n = slice_queue_peek(&s->in, v, BATCH_SLICES);
		size_t len = slices_len(v, n), taken = s->stream.events->data(s->stream.owner, v, n);

		if (s->dead || s->told)
			return;
		slice_queue_drop(&s->in, taken);
		if (taken < len)
			s->want_data = false;
	}
	if (s->want_data && !s->in.bytes && s->fin_seen && !s->fin_told) {
		s->fin_told = true;
		s->stream.events->fin(s->stream.owner);
		return;
	}
	ss_stream_under_want(s);
}
