/*
 * The TCP relay: joins a client's stream to a target's, once, for every
 * inbound and outbound. See relay.c for its theory of operation.
 */
#ifndef GATUN_FLOW_RELAY_H
#define GATUN_FLOW_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/counters.h"
#include "flow/limits.h"
#include "outbound/outbound.h"

struct relay_limits {
	uint32_t max_flows;	    /* 0 = none */
	uint32_t idle_s;	    /* both directions silent; 0 = never */
	uint32_t half_close_idle_s; /* silent after one side ended */
};

int relay_init(const struct relay_limits *);
/* Other limits from now on, for flows that there are too. */
void relay_set_limits(const struct relay_limits *);
/* Ends all flows with END_SHUTDOWN. */
void relay_free(void);
/* For when all clients are gone for good: ends in order the flows whose client
 * has said FIN (what it said still leaves). True: there are flows left whose
 * client's last bytes are still on their way here. */
bool relay_end_deserted(void);
/* Takes `in`, dials `target` through `out`, joins them. */
void relay_start(struct stream *in, const struct addr *client, const struct target *target, struct outbound *out);
/* The same within what `limits` (or NULL) grant to `party`; over it the flow is refused
 * with END_LIMIT. */
void relay_start_limited(struct stream *in, const struct addr *client, const struct target *target, struct outbound *out,
			 struct limits *limits, const struct limits_party *party);

#endif
