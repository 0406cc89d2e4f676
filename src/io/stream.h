/*
 * struct stream: an ordered, reliable, two-way byte stream that can half-close
 * and reset. lwIP connections, kernel TCP sockets and Shadowsocks streams
 * implement it, so one relay serves all.
 *
 * The contract:
 * - Calls never make callbacks: an event that a call provokes comes later, from
 *   the loop. Inside a callback every call is allowed, end() included.
 * - data events come only while wanted. data() returns how many bytes it took
 *   (it may overwrite the bytes it takes); when it took fewer than offered,
 *   no data comes until want(data) is asked for again, and then the rest is
 *   offered first. What was taken opens the peer's receive window, nothing
 *   else does: this is the back-pressure.
 * - fin comes after all data was taken. ended comes at most once, instead of
 *   anything else, and only end() may follow it. A stream that got fin and
 *   was shut does not tell: its owner knows both.
 * - end() is the owner's last call. The stream sends what it had accepted
 *   (END_DONE) or resets (any other word), and frees itself in the loop's
 *   deferred pass. No event comes after it.
 */
#ifndef GATUN_IO_STREAM_H
#define GATUN_IO_STREAM_H

#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>

#include "io/flow_end.h"
#include "io/slice.h"

struct stream;

struct stream_ops {
	/* Lets an inbound that holds its client back (SYN without SYN-ACK)
	 * complete the handshake: the other side stands. NULL if it never holds. */
	void (*accept)(struct stream *);
	/* Takes references; returns the bytes accepted, 0..total. 0 or a partial
	 * count is normal; room() tells when there is space again. -EPIPE after
	 * shut() or an end. */
	ssize_t (*write)(struct stream *, const struct slice *, int n);
	/* Bytes that write() would accept now. */
	size_t (*space)(const struct stream *);
	/* Pauses and resumes the two kinds of event. Both start paused. room is
	 * one-shot: it is told once when there is worthwhile space, then asked
	 * for again. */
	void (*want)(struct stream *, bool data, bool room);
	/* FIN after what was accepted. Idempotent. */
	void (*shut)(struct stream *);
	void (*end)(struct stream *, enum flow_end);
	/* Datagrams travel in it: what waits to leave is kept short, because late is
	 * worse than lost, and space() shrinks accordingly; a way that is gone is
	 * noticed in seconds. NULL: cannot. */
	void (*be_prompt)(struct stream *);
	/* The kernel's socket (io/tcp_socket.h) that carries this stream's bytes and no others
	 * from now on, or NULL. NULL: never. */
	struct stream *(*bare)(struct stream *);
};

struct stream_events {
	size_t (*data)(void *owner, const struct slice *, int n);
	void (*room)(void *owner);
	void (*fin)(void *owner);
	void (*ended)(void *owner, enum flow_end);
};

/* Embedded as the first member by implementations. */
struct stream {
	const struct stream_ops *ops;
	const struct stream_events *events;
	void *owner;
};

static inline void stream_bind(struct stream *s, const struct stream_events *events, void *owner)
{
	s->events = events;
	s->owner = owner;
}
static inline void stream_accept(struct stream *s)
{
	if (s->ops->accept)
		s->ops->accept(s);
}
static inline void stream_be_prompt(struct stream *s)
{
	if (s->ops->be_prompt)
		s->ops->be_prompt(s);
}
static inline struct stream *stream_bare(struct stream *s) { return s->ops->bare ? s->ops->bare(s) : NULL; }
static inline ssize_t stream_write(struct stream *s, const struct slice *v, int n) { return s->ops->write(s, v, n); }
static inline size_t stream_space(const struct stream *s) { return s->ops->space(s); }
static inline void stream_want(struct stream *s, bool data, bool room) { s->ops->want(s, data, room); }
static inline void stream_shut(struct stream *s) { s->ops->shut(s); }
static inline void stream_end(struct stream *s, enum flow_end why) { s->ops->end(s, why); }

#endif
