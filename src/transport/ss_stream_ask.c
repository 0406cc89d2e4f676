/*
 * True connect results (docs/true-connect.md). The client: a stream whose request
 * carries the mark, and whose owner is told how the server's connect ended before
 * it is told anything else. The server: it owes such a client one answer, which
 * accept() or end() gives.
 *
 * A server whose connect takes longer than PENDING_MS says that first, so that a
 * client knows within a round trip whether it is understood.
 *
 * Until then `under` is read though the owner wants nothing yet; what comes
 * besides the answer waits in s->in. An owner that has lost patience stops asking and
 * uses the stream as any other; should the answer come after all, a failure ends
 * the stream with its word, and whoever remembers the server learns from it.
 */
#include "transport/ss_stream_impl.h"

#define PENDING_MS 100

static void tell_answer(struct ss_stream *s, enum ss_answer answer, enum flow_end why)
{
	s->asking = false;
	s->told = answer == SS_ANSWER_FAILED || answer == SS_ANSWER_BROKEN;
	ss_stream_under_want(s);
	s->begin->ask->answered(s->begin->ask_owner, answer, why);
}

bool ss_stream_note_answer(struct ss_stream *s, bool payload)
{
	struct ss_opener *o = &s->opener;

	if (o->answered && o->answer == END_COUNT) { /* the word itself is still to come */
		o->answered = false;
		s->begin->ask->learned(s->begin->ask_memory, true);
	}
	if (!o->answered && !payload)
		return true;
	s->asked = false;
	if (s->cfg->proven)
		*s->cfg->proven = true;
	s->begin->ask->learned(s->begin->ask_memory, o->answered);
	if (s->asking)
		tell_answer(s, !o->answered ? SS_ANSWER_UNAWARE : o->answer == END_DONE ? SS_ANSWER_CONNECTED : SS_ANSWER_FAILED, o->answer);
	else if (o->answered && o->answer != END_DONE)
		ss_stream_tell_ended(s, o->answer);
	return !s->dead && !s->told;
}

void ss_stream_answer_broke(struct ss_stream *s, enum flow_end why)
{
	tell_answer(s, SS_ANSWER_BROKEN, why);
}

void ss_stream_answer_missing(struct ss_stream *s)
{
	s->asked = false;
	s->begin->ask->learned(s->begin->ask_memory, false);
	tell_answer(s, SS_ANSWER_UNAWARE, END_DONE);
}

struct stream *ss_stream_client_asking(struct stream *under, const struct ss_stream_config *cfg, const struct target *target,
				       const struct ss_ask_events *ask, void *owner, void *memory)
{
	struct stream *st = ss_stream_client(under, cfg, target);
	struct ss_stream *s = ss_stream_of(st);

	if (!st)
		return NULL;
	s->begin->ask = ask;
	s->begin->ask_owner = owner;
	s->begin->ask_memory = memory;
	s->asked = s->asking = true;
	s->opener.asked = true;
	s->sealer.asks_connect = true;
	ss_stream_send_header(s);
	ss_stream_under_want(s);
	return st;
}

void ss_stream_stop_asking(struct stream *st)
{
	struct ss_stream *s = ss_stream_of(st);

	s->asking = false;
	ss_stream_under_want(s);
}

/* ---- the server ---- */

static void on_pending(struct loop_timer *t)
{
	struct ss_stream *s = container_of(t, struct ss_stream, timer);

	if (s->owes_answer && !s->told && s->fail == END_DONE)
		ss_stream_send_answer(s, END_COUNT);
}

void ss_stream_owe_answer(struct ss_stream *s)
{
	s->owes_answer = true;
	loop_timer_start(&s->timer, PENDING_MS, on_pending);
}

bool ss_stream_pay_answer(struct ss_stream *s, enum flow_end why)
{
	if (!s->owes_answer || s->told || s->dead || s->fail != END_DONE)
		return false;
	s->owes_answer = false;
	loop_timer_stop(&s->timer);
	return ss_stream_send_answer(s, why);
}
