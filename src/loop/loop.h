/*
 * The event loop: readiness, timers, signals and deferred work. loop/ is the
 * only room that includes ev.h; nothing above it knows which library turns.
 *
 * Order within one turn: events → ready list → deferred work → sleep.
 * - Sockets are edge-triggered in an epoll set of our own that libev watches:
 *   interest never changes, so a flow costs no epoll_ctl after its first.
 *   A handler that stopped before EAGAIN calls loop_again() and is called in
 *   the next turn, after everybody else had theirs.
 * - Deferred work runs once at the end of the turn however often it was asked
 *   for: it flushes sockets (one system call per dirty socket and turn) and
 *   frees what ended (nothing is freed inside a callback).
 *
 * One loop per process (workers are processes), so it is not passed around.
 */
#ifndef GATUN_LOOP_LOOP_H
#define GATUN_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

/* ---- life ---- */
int loop_init(void); /* 0 or -errno */
/* Turns until loop_stop(). */
void loop_run(void);
void loop_stop(void);
/* One turn without waiting: what a shutdown uses to let deferred work run. */
void loop_turn(void);
void loop_free(void);
/* Milliseconds of CLOCK_BOOTTIME, read once per turn: the flows' clock. */
uint64_t loop_now(void);
/* Has this process, or the whole machine, stood still for longer than any turn takes, and gone on
 * within the last seconds? What is read now may have waited all that time. */
bool loop_was_stopped(void);

/* ---- readiness ---- */
/* LOOP_HUP: the peer has sent its FIN (or all is over), or urgent data, at which
 * a read stops: read until 0 or an error; without it a short read means that
 * nothing is left. */
enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_ERROR = 4, LOOP_HUP = 8 };

struct loop_io {
	void (*ready)(struct loop_io *, unsigned events); /* LOOP_* bits */
	int fd;
	unsigned pending; /* events to deliver from the ready list */
	struct list node;
};
/* Watches fd for both directions, edge-triggered. Returns 0 or -errno. */
int loop_io_start(struct loop_io *io, int fd, void (*ready)(struct loop_io *, unsigned));
/* As above, for reading and errors alone: a UDP socket is told of room after
 * every datagram that leaves, and would wake the loop for nothing. */
int loop_io_start_read(struct loop_io *io, int fd, void (*ready)(struct loop_io *, unsigned));
/* Call before close(fd). Idempotent; safe inside a callback. */
void loop_io_stop(struct loop_io *io);
/* Stops and closes io->fd, which then leaves the set by itself: one system call
 * less per connection. Only for descriptors that nobody else holds a copy of
 * (close-on-exec, and children are started by vfork-like calls). */
void loop_io_close(struct loop_io *io);
/* Deliver `events` again next turn without waiting for an edge. */
void loop_again(struct loop_io *io, unsigned events);

/* A level-triggered watcher for the few descriptors that libraries own
 * (c-ares, netlink). Interest may change: stop and start. */
struct loop_watch {
	void (*ready)(struct loop_watch *, unsigned events);
	void *ev; /* loop/ */
};
int loop_watch_start(struct loop_watch *w, int fd, unsigned events, void (*ready)(struct loop_watch *, unsigned));
void loop_watch_stop(struct loop_watch *w);

/* ---- timers ---- */
struct loop_timer {
	void (*fire)(struct loop_timer *);
	bool armed;
	long ev[8]; /* loop/: the library's own record, so that a timer needs no allocation */
};
/* (Re)arms: fires once, after `ms`. Cheap: no system call. */
void loop_timer_start(struct loop_timer *t, uint64_t ms, void (*fire)(struct loop_timer *));
void loop_timer_stop(struct loop_timer *t);
static inline bool loop_timer_armed(const struct loop_timer *t) { return t->armed; }

/* ---- deferred work ---- */
struct loop_work {
	void (*run)(struct loop_work *);
	struct list node;
	bool queued;
};
/* Runs `run` once at the end of this turn. Work queued by work runs in the
 * same pass. Zero-initialised loop_work is fine. */
void loop_defer(struct loop_work *w, void (*run)(struct loop_work *));
void loop_defer_cancel(struct loop_work *w);

/* ---- signals ---- */
struct loop_signal {
	void (*fire)(struct loop_signal *);
	void *ev; /* loop/ */
};
int loop_signal_start(struct loop_signal *s, int signum, void (*fire)(struct loop_signal *));
void loop_signal_stop(struct loop_signal *s);

#endif
