/*
 * Happy eyeballs (RFC 8305, section 5): connects to several addresses in
 * order, the next one 250 ms after the last or as soon as it failed; the first
 * that stands wins, the others are dropped.
 */
#ifndef GATUN_OUTBOUND_RACE_H
#define GATUN_OUTBOUND_RACE_H

#include "io/tcp_socket.h"
#include "loop/loop.h"
#include "outbound/outbound.h"
#include "resolve/resolve.h"

struct race {
	struct addr addrs[RESOLVE_MAX];
	struct stream *tries[RESOLVE_MAX];
	uint8_t n, next, under_way;
	int last_err; /* of the last try that failed, 0 before any */
	struct loop_timer stagger, limit;
	struct tcp_socket_options options;
	const struct dial_events *events;
	void *owner;
};

/* Fills addrs/n beforehand (n >= 1). One event follows, never synchronously
 * from this call unless nothing could be tried: then -errno and no event. */
int race_start(struct race *, const struct tcp_socket_options *, uint32_t limit_ms, const struct dial_events *, void *owner);
/* One more address, which is tried at once; while the race runs. Nothing where it is one of them already. */
void race_add(struct race *, const struct addr *);
/* Drops all tries; no event comes. Idempotent, also after an event. */
void race_cancel(struct race *);

#endif
