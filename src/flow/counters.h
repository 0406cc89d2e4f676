/*
 * What the flows of this process did: one page of numbers, and one table that
 * names each of them. Status, Prometheus text and the summary that -v prints
 * all read the table, so a number has the same name everywhere; docs/status.md
 * lists them, and a test compares.
 *
 * A counter is a field of struct flow_counters and a row in counters.c. Rooms
 * above flow/ and flow/ itself count here; those below count in pages of their
 * own (io/datagram_counters.h, io/udp_socket.h), which flow_counters_read()
 * adds. So counting is one increment, and reading costs the data path nothing.
 */
#ifndef GATUN_FLOW_COUNTERS_H
#define GATUN_FLOW_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "io/flow_end.h"

struct flow_counters {
	struct {
		uint64_t flows_active, flows_opened, bytes_up, bytes_down;
		uint64_t ended[END_COUNT];
	} tcp;
	struct {
		uint64_t sessions_active, sessions_opened, packets_up, packets_down, bytes_up, bytes_down;
		uint64_t malformed, fragments, fragment_timeouts, session_timeouts, evicted;
		uint64_t dropped_queue, dropped_rate, dropped_amplification, dropped_acl, dropped_replay, dropped_crypto;
		uint64_t dropped_limit, closed_port, handed_over, too_big;
	} udp;
	struct {
		uint64_t control_active, control_opened;
	} socks;
	struct { /* flows that flow/limits refused, by reason */
		uint64_t client_flows, client_flow_rate, user_flow_rate;
	} limits;
};

/* What this process counted in flow/ and above; for whoever counts. */
extern struct flow_counters flow_counters;

/* All of it, that of the rooms below included; for whoever reads. */
void flow_counters_read(struct flow_counters *out);
/* Adds every number of `more`, row by row. */
void flow_counters_add(struct flow_counters *sum, const struct flow_counters *more);
/* Begins anew: for a program that runs an engine several times (embed.c). */
void flow_counters_reset(void);

enum flow_counter_kind {
	FLOW_GAUGE,   /* how many there are now */
	FLOW_TOTAL,   /* how many there were; only grows */
	FLOW_TROUBLE, /* the same, of what did not go its way: the summary leaves it out while it is 0 */
};

struct flow_counter_row {
	const char *group; /* "tcp", "udp", "socks" */
	const char *name;  /* "sessions_active" */
	size_t offset;	   /* of the uint64_t in struct flow_counters */
	enum flow_counter_kind kind;
	const char *doc; /* one sentence; the HELP line of the metric */
};
/* Rows by group, ended by one without a name. tcp.ended[] has none: its names
 * are those of enum flow_end. */
const struct flow_counter_row *flow_counter_table(void);

static inline uint64_t *flow_counter_at(struct flow_counters *c, const struct flow_counter_row *r)
{
	return (uint64_t *)((char *)c + r->offset);
}
static inline uint64_t flow_counter_get(const struct flow_counters *c, const struct flow_counter_row *r)
{
	return *(const uint64_t *)((const char *)c + r->offset);
}

#endif
