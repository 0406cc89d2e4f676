/*
 * From a target to a kernel TCP stream: resolve its name if it has one, filter
 * the addresses, race them. What direct and shadowsocks have in common.
 */
#ifndef GATUN_OUTBOUND_DIAL_H
#define GATUN_OUTBOUND_DIAL_H

#include "outbound/race.h"

struct dial_options {
	struct tcp_socket_options socket;
	uint32_t limit_ms;
	bool (*refuse)(void *owner, const struct addr *); /* addresses it is true for are never tried; or NULL */
};

/* One dial; embedded by the outbounds' own struct dial. Zero-initialised. */
struct tcp_dial {
	struct race race;
	struct resolve_query *query;
	struct loop_work work;
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
