/*
 * A Shadowsocks stream: life and calls. Theory of operation of all ss_stream*.c:
 *
 *	owner --write--> seal from the slices into a pooled buffer --write--> under
 *	owner <--data--- opened in place in the received buffer <--data----- under
 *
 * Out: write() accepts no more than what, sealed, fits in stream_space(under), so what
 * was sealed is always taken whole and this layer queues nothing: under's
 * bound is the back-pressure. The header waits for the first payload (client:
 * 10 ms at most; server: as long as it takes).
 *
 * In: one data event of `under` is opened to its end and handed on as one data
 * event. What the owner did not take waits in s->in and `under` is paused, so
 * at most one event's worth waits. Only a unit that straddles two received
 * slices is copied (s->carry). An idle stream holds no buffer.
 *
 * End: a clean end is a FIN at the end of a chunk, or after the salt alone (an
 * empty answer: docs/decisions/0001-empty-answer.md). Before the server's first
 * byte it is END_NO_REPLY, inside a chunk END_TRUNCATED, and neither is ever
 * told as fin. The stream frees itself in the loop's deferred pass after end().
 *
 * Key schedules are borrowed from crypto's cache: two keys of 32 bytes are all
 * that an idle stream keeps. It does not know who dials, listens or relays.
 */
#include "transport/ss_stream.h"

#include <sodium.h>

#include "base/cells.h"
#include "base/log.h"
#include "crypto/random.h"
#include "transport/ss_stream_impl.h"

#define HEADER_WAIT_MS 10

static const struct stream_ops ss_ops;

/* ---- life ---- */

void ss_stream_free_beginning(struct ss_stream *s)
{
	if (!s->begin)
		return;
	sodium_memzero(s->begin->key, sizeof(s->begin->key));
	cell_free(s->begin);
	s->begin = NULL;
}

static void free_now(struct ss_stream *s)
{
	loop_defer_cancel(&s->work);
	cell_free(s);
}

static void pass(struct loop_work *w)
{
	struct ss_stream *s = container_of(w, struct ss_stream, work);

	if (!s->dead && s->fail != END_DONE)
		ss_stream_tell_ended(s, (enum flow_end)s->fail);
	if (!s->dead && !s->told)
		ss_stream_drain(s);
	if (s->dead)
		free_now(s);
}

void ss_stream_discard(struct ss_stream *s)
{
	s->dead = true;
	s->under = NULL;
	loop_timer_stop(&s->timer);
	ss_user_release(&s->payer);
	if (s->tally)
		s->tally->ended(s->tally);
	slice_queue_clear(&s->in);
	if (s->carry.buf)
		slice_unref(s->carry);
	s->carry.buf = NULL;
	ss_sealer_wipe(&s->sealer);
	ss_opener_wipe(&s->opener);
	ss_stream_free_beginning(s);
	loop_defer(&s->work, pass);
}

void ss_stream_fail_later(struct ss_stream *s, enum flow_end why)
{
	s->fail = (uint8_t)why;
	loop_defer(&s->work, pass);
}

struct ss_stream *ss_stream_make(struct stream *under, const struct ss_stream_config *cfg, bool server)
{
	struct ss_stream *s;

	if (!aead_ops_for(cfg->method->tcp))
		return NULL;
	s = cell_new(sizeof(*s));
	if (!s)
		return NULL;
	s->begin = cell_new(sizeof(*s->begin));
	if (!s->begin) {
		cell_free(s);
		return NULL;
	}
	s->stream.ops = &ss_ops;
	s->under = under;
	s->cfg = cfg;
	s->server = server;
	s->fail = END_DONE;
	ss_opener_init(&s->opener, cfg->method, server);
	if (server && cfg->users && !ss_users_anyone(cfg->users))
		ss_opener_use_users(&s->opener, &s->begin->hs, cfg->users);
	return s;
}

/* ---- events of `under` ---- */

static void on_room(void *owner)
{
	struct ss_stream *s = owner;

	if (s->dead || s->told || !s->want_room)
		return;
	s->want_room = false;
	s->stream.events->room(s->stream.owner);
}

/* The salt alone and then FIN: a server that had nothing to say. SIP022's head
 * is the salt and more, so there the salt is what waits in the carry. */
static bool only_salt_came(const struct ss_stream *s)
{
	return !s->server && s->opener.unit == SS_UNIT_HEAD && s->carry.buf && s->carry.len == ss_stream_method(s)->key_len;
}

static void on_fin(void *owner)
{
	struct ss_stream *s = owner;

	if (s->dead || s->told)
		return;
	s->fin_seen = true;
	if (!s->server && !s->replied)
		ss_stream_tell_ended(s, END_NO_REPLY);
	else if (!only_salt_came(s) && (s->carry.buf || !ss_opener_at_boundary(&s->opener)))
		ss_stream_tell_ended(s, END_TRUNCATED);
	else if (s->asking)
		ss_stream_answer_missing(s);
	else
		ss_stream_drain(s);
}

static void on_ended(void *owner, enum flow_end why)
{
	ss_stream_tell_ended(owner, why);
}

void ss_stream_establish(struct ss_stream *s)
{
	static const struct stream_events events = { ss_stream_on_data, on_room, on_fin, on_ended };

	stream_bind(s->under, &events, s);
}

/* ---- calls ---- */

static void ss_accept(struct stream *st)
{
	ss_stream_pay_answer(ss_stream_of(st), END_DONE);
}

static void ss_want(struct stream *st, bool data, bool room)
{
	struct ss_stream *s = ss_stream_of(st);

	s->want_data = data;
	s->want_room = room;
	if (data && (s->in.bytes || (s->fin_seen && !s->fin_told)))
		loop_defer(&s->work, pass);
	ss_stream_under_want(s);
}

static void ss_shut(struct stream *st)
{
	struct ss_stream *s = ss_stream_of(st);

	if (s->shut || s->told)
		return;
	ss_stream_send_header(s);
	s->shut = true;
	stream_shut(s->under);
}

/* An unproven server that gave no answer: the user can mend most of the causes. */
static void explain_silence(const struct ss_stream *s, enum flow_end why)
{
	const struct ss_stream_config *c = s->cfg;

	if (s->server || !c->proven || *c->proven || !s->header_sent || why == END_DONE || why == END_SHUTDOWN)
		return;
	log_warn("server %s %s: check password, method%s, or the target may be closed end=%s", c->name,
		 why == END_FORGED ? "sent what does not verify" : "has not answered", c->method->sip022 ? " and clock" : "",
		 flow_end_name(why));
}

static void ss_end(struct stream *st, enum flow_end why)
{
	struct ss_stream *s = ss_stream_of(st);

	if (s->dead)
		return;
	explain_silence(s, why);
	/* The answer is the end, and has to arrive. */
	if (why != END_DONE && why != END_SHUTDOWN && ss_stream_pay_answer(s, why))
		why = END_DONE;
	stream_end(s->under, why);
	ss_stream_discard(s);
}

static void ss_be_prompt(struct stream *st)
{
	struct ss_stream *s = ss_stream_of(st);

	if (!s->dead)
		stream_be_prompt(s->under);
}

static const struct stream_ops ss_ops = {
	.accept = ss_accept,
	.write = ss_stream_out_write,
	.space = ss_stream_out_space,
	.want = ss_want,
	.shut = ss_shut,
	.end = ss_end,
	.be_prompt = ss_be_prompt,
};

/* ---- the client ---- */

static void on_header_due(struct loop_timer *t)
{
	struct ss_stream *s = container_of(t, struct ss_stream, timer);

	if (!s->told)
		ss_stream_send_header(s);
}

struct stream *ss_stream_client(struct stream *under, const struct ss_stream_config *cfg, const struct target *target)
{
	struct ss_stream *s = ss_stream_make(under, cfg, false);

	if (!s)
		return NULL;
	s->begin->hs.target = *target;
	random_bytes(s->begin->hs.salt, cfg->method->key_len);
	ss_sealer_init(&s->sealer, cfg->method, cfg->key, s->begin->hs.salt);
	s->tally = cfg->tally;
	ss_stream_establish(s);
	loop_timer_start(&s->timer, HEADER_WAIT_MS, on_header_due);
	return &s->stream;
}
