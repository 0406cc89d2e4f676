/* What the ports of every room count about datagrams that went nowhere. One
 * page of the process; whoever reads gets it with the flows' page, under the
 * same names (flow/counters.h). */
#ifndef GATUN_IO_DATAGRAM_COUNTERS_H
#define GATUN_IO_DATAGRAM_COUNTERS_H

#include <stdint.h>

struct datagram_counters {
	uint64_t malformed;
	uint64_t dropped_replay, dropped_crypto; /* seen before; did not verify */
	uint64_t fragments, fragment_timeouts;
	uint64_t dropped_queue;	 /* a bounded queue was full, or a name did not resolve in time */
	uint64_t dropped_acl;	 /* what a rule forbids: a local target of the server, broadcast, multicast */
	uint64_t handed_over;	 /* of a SIP022 session that another worker has, and given to it */
	uint64_t too_big;	 /* beyond what the path carries: told by ICMP where there is an app */
};

extern struct datagram_counters datagram_counters;

#endif
