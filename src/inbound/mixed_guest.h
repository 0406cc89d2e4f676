/*
 * A client of a mixed inbound, from its first byte until it is handed over or
 * gone. mixed.c owns its life, socks.c and http.c speak its protocol.
 *
 *	ASKING ──request──► HELD ──accept()──► JOINED
 *	   │                  └─end(why)─┐
 *	   ├─UDP ASSOCIATE──► CONTROL    │
 *	   ├─turned away───────────────► DRAINING
 *	   └─plain HTTP─────► PLAIN ──the response is whole──► ASKING
 *
 * HELD: the owner has the guest's own stream and dials; the guest hears nothing
 * until the outbound stands, or learns why it does not. JOINED: events go from
 * the client's socket straight to the owner; of the guest only its thin calls
 * are left. DRAINING: the last words were said; what still comes is swallowed
 * until the client closes, because closing at once would reset the words away.
 */
#ifndef GATUN_INBOUND_MIXED_GUEST_H
#define GATUN_INBOUND_MIXED_GUEST_H

#include "base/list.h"
#include "inbound/mixed.h"
#include "loop/loop.h"

enum guest_state { GUEST_ASKING, GUEST_HELD, GUEST_JOINED, GUEST_CONTROL, GUEST_PLAIN, GUEST_DRAINING, GUEST_GONE };

#define GUEST_REPLY_MAX 512

struct guest;
struct guest_protocol {
	/* One message of what has arrived: the bytes it occupies, 0 if more must
	 * come, negative when it is none (then the guest is turned away, unless
	 * the reader did that). May call any of the guest_ verbs below. */
	ssize_t (*read)(struct guest *, const uint8_t *in, size_t len);
	/* The reply to a request; returns its length. END_DONE: the outbound stands. */
	size_t (*reply)(struct guest *, enum flow_end, uint8_t *out);
	uint32_t request_max; /* bytes of one message */
	/* It was longer. */
	void (*too_long)(struct guest *);
};
extern const struct guest_protocol guest_socks5, guest_socks4, guest_http;

struct guest {
	struct stream stream; /* the owner's, from HELD on */
	const struct mixed_options *options;
	struct mixed *inbound;
	struct stream *under;
	struct addr client;
	const struct guest_protocol *protocol;
	struct buf *in; /* ASKING: what has arrived and is not understood yet */
	uint32_t used;
	uint8_t state, phase; /* phase: the protocol's */
	bool client_gone;
	struct target target;
	struct socks_association *association; /* CONTROL */
	struct http_plain *plain;	       /* PLAIN */
	uint64_t due_ms;
	struct list node;
	struct loop_work free_work;
};

/* Sends bytes; only while ASKING or at its end. */
void guest_say(struct guest *, const void *bytes, size_t len);
/* guest->target is what it wants: it will be handed to the owner. */
void guest_hold(struct guest *);
/* It keeps its connection open for the sake of an association. */
void guest_control(struct guest *);
/* PLAIN: the owner gets the guest's stream with these ops, the socket's events go to `owner`. */
void guest_exchange(struct guest *, const struct stream_ops *, const struct stream_events *, void *owner);
/* The exchange is over: the next request, or the end. */
void guest_ask_again(struct guest *);
void guest_leave(struct guest *, enum flow_end);
/* Nothing more is listened to; what was said gets out. */
void guest_turn_away(struct guest *);
/* True if `users` is empty or has this one; takes the same time whoever it is. */
bool guest_admitted(const struct config_users *users, const void *name, size_t name_len, const void *password, size_t password_len);

#endif
