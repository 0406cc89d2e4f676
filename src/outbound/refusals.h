/*
 * What a UDP port must say went nowhere, kept until the loop may tell it: a port
 * learns it from inside send(), from where nothing may be told (io/datagram.h).
 * Each target once a turn, however many datagrams it was; what exceeds
 * REFUSALS_MAX targets a turn is not told, as a router's ICMP is limited, too.
 */
#ifndef GATUN_OUTBOUND_REFUSALS_H
#define GATUN_OUTBOUND_REFUSALS_H

#include "io/datagram.h"
#include "loop/loop.h"

#define REFUSALS_MAX 16

/* All zero: nothing. */
struct refusals {
	struct loop_work work;
	struct datagram_port *port;
	struct buf *scratch; /* of what is to be told, while n > 0 */
	int n;
};

/* The owner of `port` is told of it before the loop turns. */
void refusals_add(struct refusals *, struct datagram_port *port, const struct target *, enum flow_end why);
/* Nothing is told any more: the port is ended. */
void refusals_clear(struct refusals *);

#endif
