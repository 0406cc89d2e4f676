/* What the flows of this process did. One page of numbers, read by status and
 * by the summary that `run -v` prints. */
#ifndef GATUN_FLOW_COUNTERS_H
#define GATUN_FLOW_COUNTERS_H

#include <stdint.h>

#include "io/flow_end.h"

struct flow_counters {
	struct {
		uint64_t active, opened, bytes_up, bytes_down;
		uint64_t ended[END_COUNT];
	} tcp;
	struct {
		uint64_t active, opened, packets_up, packets_down, bytes_up, bytes_down;
		uint64_t malformed, replayed, forged, fragments, fragment_timeouts;
		uint64_t timeouts, evicted, dropped_queue, dropped_limit, dropped_denied, closed_port, too_big;
	} udp;
};

extern struct flow_counters flow_counters;

#endif
