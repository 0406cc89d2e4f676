/* What the ports of every room count about datagrams that went nowhere. One
 * page of the process; the flows' page (flow/counters.h) takes it over. */
#ifndef GATUN_IO_DATAGRAM_COUNTERS_H
#define GATUN_IO_DATAGRAM_COUNTERS_H

#include <stdint.h>

struct datagram_counters {
	uint64_t malformed, replayed, forged;
	uint64_t fragments, fragment_timeouts;
	uint64_t dropped_queue;	 /* a bounded queue was full, or a name did not resolve in time */
	uint64_t dropped_denied; /* a local target of the server, broadcast, multicast */
	uint64_t too_big;	 /* beyond what the path carries: told by ICMP where there is an app */
};

extern struct datagram_counters datagram_counters;

#endif
