/*
 * Shadowsocks as a stream over a stream, both roles (io/stream.h is the
 * contract). It does not know who dials or listens, nor what carries it.
 * See ss_stream.c for its theory of operation.
 */
#ifndef GATUN_TRANSPORT_SS_STREAM_H
#define GATUN_TRANSPORT_SS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/clock.h"
#include "crypto/method.h"
#include "crypto/salt_store.h"
#include "crypto/salt_table.h"
#include "io/stream.h"
#include "proto/ss_users.h"

/* What a client's streams tell whoever made them. */
struct ss_stream_tally {
	uint64_t *up, *down; /* payload bytes are added here */
	uint64_t heard_ms;   /* loop_now() of the last that came down; 0: none */
	void (*ended)(struct ss_stream_tally *); /* one of the streams is gone: it needs its config no more */
};

/* Lives as long as a client's streams made from it; a server's need it until they are accepted. */
struct ss_stream_config {
	const struct ss_method *method;
	const uint8_t *key; /* method->key_len bytes; a client's own, where it has identities as well */
	const struct ss_identity *identity; /* client: what it says before, or NULL */
	struct salt_table *old_salts;	    /* server, SIP004: whose beginnings may not come again, or NULL */
	const struct ss_users *users;	    /* server: who may come, or NULL: anyone with the key, and nobody pays */
	/* Client, both or neither: becomes true with the first answer that
	 * verifies. Until then a stream that ends without one says in the log
	 * what may be wrong with `name`: Shadowsocks has no error message. */
	bool *proven;
	struct clock_skew *skew; /* client, or NULL: of the server's clock, by each answer of a 2022 method */
	const char *name;
	struct ss_stream_tally *tally; /* client, or NULL */
};

/* Takes `under` (an established stream) and binds it. The header leaves with
 * the first payload, in one write, or alone after 10 ms without payload.
 * NULL: no memory, or no back-end for the method; `under` is the caller's. */
struct stream *ss_stream_client(struct stream *under, const struct ss_stream_config *cfg, const struct target *target);

/* What a server says to a client that asked how the connect ended. */
enum ss_answer {
	SS_ANSWER_CONNECTED,
	SS_ANSWER_FAILED,  /* with the server's word for it */
	SS_ANSWER_UNAWARE, /* nothing: it answers as any server, and the stream stands */
	SS_ANSWER_BROKEN,  /* the stream ended without a word of it */
};

struct ss_ask_events {
	/* Once, unless the owner stops asking or ends the stream. After FAILED and
	 * BROKEN only stream_end() may follow; else bind the stream and use it. */
	void (*answered)(void *owner, enum ss_answer, enum flow_end why);
	/* Does this server know what it was asked? Once, also long after the owner
	 * has stopped asking; not where the stream breaks before. */
	void (*learned)(void *memory, bool aware);
};

/* As ss_stream_client, of a 2022 method, but the header leaves at once and asks for the
 * result of the connect. The stream is not bound before `answered`. memory lives as long
 * as the stream. */
struct stream *ss_stream_client_asking(struct stream *under, const struct ss_stream_config *cfg, const struct target *target,
				       const struct ss_ask_events *ask, void *owner, void *memory);
/* Patience is over: bind the stream and use it. Should the server say later that it
 * failed, the stream ends with that word. */
void ss_stream_stop_asking(struct stream *s);

struct ss_accept_events {
	/* The client wants `target` (borrowed for the call). s is the owner's:
	 * bind it, then want. `under` is inside it. Its user is charged for flow
	 * and bytes; when he is removed the stream ends (END_REMOVED). */
	void (*accepted)(void *owner, struct stream *s, const struct target *target);
	/* `under` is the owner's again, its events unbound from us: it drains it
	 * or resets it, the same way whatever `why` says. */
	void (*rejected)(void *owner, struct stream *under, enum flow_end why);
};

/* Whose a stream is that accepted() gave; NULL: there are no users. Valid for the call. */
struct ss_user *ss_stream_user(const struct stream *);

struct ss_accept;
/* Takes `under`, reads the header from it, then exactly one event follows
 * unless cancelled; the struct ss_accept is gone with it. It sets no deadline: the
 * owner cancels. NULL: no memory; `under` is the caller's. */
struct ss_accept *ss_stream_accept(struct stream *under, const struct ss_stream_config *cfg, struct salt_store *salts,
				   const struct ss_accept_events *events, void *owner);
/* No event comes after it. `under` is the caller's again, still wanting data
 * from nobody: bind it anew or end it. */
void ss_stream_accept_cancel(struct ss_accept *a);

#endif
