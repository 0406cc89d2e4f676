/* The Shadowsocks stream's insides, shared by ss_stream*.c and nobody else. */
#ifndef GATUN_TRANSPORT_SS_STREAM_IMPL_H
#define GATUN_TRANSPORT_SS_STREAM_IMPL_H

#include "loop/loop.h"
#include "proto/ss_stream.h"
#include "transport/ss_stream.h"

/* What only the beginning needs: freed once the header left (client) and came
 * back (client, SIP022), or once the response's header left (server). */
struct beginning {
	struct ss_handshake hs;
	/* server, until accepted */
	struct salt_store *salts;
	const struct ss_accept_events *events;
	void *owner;
	/* server, once it is known whose: what its response will be sealed with,
	 * whatever becomes of the user's or the server's key meanwhile */
	uint8_t key[SS_KEY_MAX];
	/* client that asked for the result of the connect, until it is known */
	const struct ss_ask_events *ask;
	void *ask_owner, *ask_memory;
};

struct ss_stream {
	struct stream stream;
	struct stream *under;
	const struct ss_stream_config *cfg; /* server: until accepted, then an empty one */
	struct beginning *begin;
	struct ss_user_holder payer; /* server: whose it is, once that is proven */
	struct ss_stream_tally *tally; /* client, or NULL */
	struct loop_work work;
	struct loop_timer timer;  /* client: the header's 10 ms; either: retry when memory ran out */
	struct slice_queue in;	  /* opened, not taken by the owner */
	struct slice carry;	  /* a unit that is not complete; buf NULL: none */
	struct ss_sealer sealer;
	struct ss_opener opener;
	uint8_t fail;		  /* enum flow_end to tell from the deferred pass; END_DONE: none */
	bool server : 1, header_sent : 1;
	bool want_data : 1, want_room : 1;
	bool replied : 1;	  /* the peer sent a byte */
	bool fin_seen : 1, fin_told : 1, told : 1;
	bool shut : 1, dead : 1;
	bool salt_checked : 1;	  /* server */
	bool asked : 1;		  /* client: the answer is still to come, */
	bool asking : 1;	  /* and the owner waits for it */
	bool owes_answer : 1;	  /* server */
};

static inline struct ss_stream *ss_stream_of(const struct stream *s)
{
	return (struct ss_stream *)(uintptr_t)s;
}

static inline const struct ss_method *ss_stream_method(const struct ss_stream *s)
{
	return s->opener.method;
}

/* ---- ss_stream.c ---- */
/* A stream over `under`, not bound yet. NULL: no memory or no back-end. */
struct ss_stream *ss_stream_make(struct stream *under, const struct ss_stream_config *cfg, bool server);
/* Binds `under` to the events of an established stream. */
void ss_stream_establish(struct ss_stream *s);
/* Forgets `under` and frees in the deferred pass. */
void ss_stream_discard(struct ss_stream *s);
void ss_stream_free_beginning(struct ss_stream *s);
/* Tells END_* from the deferred pass, for failures inside the owner's calls. */
void ss_stream_fail_later(struct ss_stream *s, enum flow_end why);

/* ---- ss_stream_in.c ---- */

/* Opened pieces of one data event, on their way to the owner. */
#define BATCH_SLICES 64
#define BATCH_HELD 8
struct ss_batch {
	int n, held;
	struct slice v[BATCH_SLICES];	/* borrowed, but for what held[] keeps */
	struct buf *bufs[BATCH_HELD];	/* carries to release after delivery */
};
/* Opens units from v[off..]: 1 when a unit was opened into `out` (payload,
 * perhaps empty), 0 when more bytes are needed, or -errno. *off moves on. If
 * the unit was a carry its buffer is passed to b->bufs. */
int ss_stream_open_unit(struct ss_stream *s, const struct slice *v, uint32_t *off, struct slice *out, struct ss_batch *b);
size_t ss_stream_on_data(void *owner, const struct slice *v, int n);
/* Offers what waits in s->in, then fin, then asks `under` for more. */
void ss_stream_drain(struct ss_stream *s);
/* The word for what ss_opener_next returned. */
enum flow_end ss_stream_end_of(const struct ss_stream *s, int err);
void ss_batch_release(struct ss_batch *b);
void ss_stream_under_want(struct ss_stream *s);
void ss_stream_tell_ended(struct ss_stream *s, enum flow_end why);

/* ---- ss_stream_ask.c ---- */
/* While s->asked, after units were opened: tells the answer if it is among them,
 * or that there is none where payload came. False when the stream is over. */
bool ss_stream_note_answer(struct ss_stream *s, bool payload);
/* While s->asking: the stream broke; it ended in order without an answer. */
void ss_stream_answer_broke(struct ss_stream *s, enum flow_end why);
void ss_stream_answer_missing(struct ss_stream *s);

/* Server: the client asked for the result of the connect, */
void ss_stream_owe_answer(struct ss_stream *s);
/* and here it is, once. False: it did not ask, or cannot be told. */
bool ss_stream_pay_answer(struct ss_stream *s, enum flow_end why);

/* ---- ss_stream_out.c ---- */
ssize_t ss_stream_out_write(struct stream *st, const struct slice *v, int n);
size_t ss_stream_out_space(const struct stream *st);
/* Client: the header without payload; server SIP004: the salt. No-op once sent. */
void ss_stream_send_header(struct ss_stream *s);
/* Server, whose client asked: how the connect ended, or END_COUNT: not yet. False: no room. */
bool ss_stream_send_answer(struct ss_stream *s, enum flow_end why);

#endif
