/* What udp_socket.c (life, receiving, errors) and udp_send.c (queue, groups,
 * sendmmsg) share. Nobody else includes it. */
#ifndef GATUN_IO_UDP_INTERNAL_H
#define GATUN_IO_UDP_INTERNAL_H

#include "io/own_sockets.h"
#include "io/udp_socket.h"
#include "loop/loop.h"

/* One datagram to send, or a run of equal ones that lie back to back. */
struct udp_entry {
	struct slice payload; /* owned */
	struct addr remote, local;
	uint32_t flow;
	uint16_t segment;
};

struct udp_socket {
	struct loop_io io;
	struct loop_work work; /* flush, then free */
	const struct udp_socket_events *events;
	void *owner;
	struct own_socket own;
	struct buf *queue; /* of struct udp_entry, while something waits */
	int queued;
	int last_error;
	uint16_t family;
	uint16_t segment_max; /* longest segment that the path takes by UDP_SEGMENT; 0 = none */
	bool connected, listens, pktinfo, closed;
};

/* Reads what the error queue holds. */
void udp_errors_read(struct udp_socket *s);

#endif
