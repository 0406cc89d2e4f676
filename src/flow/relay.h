/*
 * The TCP relay: joins a client's stream to a target's, once, for every
 * inbound and outbound. See relay.c for its theory of operation.
 */
#ifndef GATUN_FLOW_RELAY_H
#define GATUN_FLOW_RELAY_H

#include <stdint.h>

#include "flow/counters.h"
#include "outbound/outbound.h"

struct relay_limits {
	uint32_t max_flows;	    /* 0 = none */
	uint32_t idle_s;	    /* both directions silent; 0 = never */
	uint32_t half_close_idle_s; /* silent after one side ended */
};

int relay_init(const struct relay_limits *);
/* Ends all flows with END_SHUTDOWN. */
void relay_free(void);
/* Takes `in`, dials `target` through `out`, joins them. */
void relay_start(struct stream *in, const struct addr *client, const struct target *target, struct outbound *out);

#endif
