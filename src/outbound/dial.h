/*
 * From a target to a kernel TCP stream: resolve its name if it has one, filter
 * the addresses, race them. What direct and shadowsocks have in common.
 *
 * A server that has moved is followed: where an answer from the cache does not lead to
 * a connection soon, or fails, DNS is asked again, and addresses that are new are tried.
 */
#ifndef GATUN_OUTBOUND_DIAL_H
#define GATUN_OUTBOUND_DIAL_H

#include "outbound/race.h"

struct dial_options {
	struct tcp_socket_options socket;
	uint32_t limit_ms;
	bool follow; /* the target is a server of ours: its name is asked for again before it is given up */
	bool (*refuse)(void *owner, const struct addr *); /* addresses it is true for are never tried; or NULL */
};

/* One dial; embedded by the outbounds' own struct dial. Zero-initialised. */
struct tcp_dial {
	struct race race;
	struct resolve_query *query;
	struct loop_work work;
	struct loop_timer second; /* follow: when DNS is asked again; armed at most once */
	struct target name;	  /* follow */
	bool doubted, racing;
	const struct dial_options *options; /* outlives the dial */
	const struct dial_events *events;
	void *owner;
	enum flow_end failure; /* what `work` will tell */
	uint16_t port;
};

/* Exactly one event follows, never synchronously. */
void tcp_dial_start(struct tcp_dial *, const struct target *, const struct dial_options *, const struct dial_events *, void *owner);
/* As a dial that comes to nothing, for `why`. */
void tcp_dial_fail(struct tcp_dial *, enum flow_end why, const struct dial_events *, void *owner);
void tcp_dial_cancel(struct tcp_dial *);

#endif
