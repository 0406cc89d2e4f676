/*
 * All TCP connections that this process has made, so that those can be found whose
 * way is gone: the address that they came from, or whoever was at the other end.
 * Neither is told by the kernel: it goes on sending, for a quarter of an hour.
 */
#ifndef GATUN_IO_CONNECTED_H
#define GATUN_IO_CONNECTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"
#include "io/flow_end.h"

/* One of them, embedded. */
struct connected {
	struct list node;
	int fd;
	bool tunnel; /* it is one whose deafness matters */
	uint32_t keepalive_s; /* what connected_keep_alive() is to ask for; 0: nothing, or it has */
	/* To be ended, from the loop; it may end others, and itself. */
	void (*give_up)(struct connected *, enum flow_end);
};

void connected_add(struct connected *, int fd, bool tunnel, uint32_t keepalive_s, void (*give_up)(struct connected *, enum flow_end));
/* One that was never added is none. */
void connected_remove(struct connected *);

/* The machine has lost these addresses (their ports mean nothing): what was connected, or
 * connects, from one of them ends with END_ADDRESS_GONE. How many there were. Neither this
 * nor the next may be called from inside a stream's event. */
size_t connected_drop_sources(const struct addr *gone, size_t n);
/* Looks at those of the tunnel. One that sends full packets and whose every retransmission stays
 * unanswered may have a path where they vanish: path_tell() is told of its peer, and over IPv4
 * routers may cut its packets from now on. Over IPv6, where the limit of the path was found since
 * and it is a shorter one than this connection's, it ends, since nothing can shorten them.
 *
 * Ends those that have sent and heard nothing back for so long, not even that
 * there is no room (TCP_USER_TIMEOUT knows no such difference, and would end who waits for a
 * slow reader). How many there were. One system call for each connection. */
size_t connected_drop_lost(uint32_t ms);
/* Has the kernel ask the peers of those that have not been looked at before whether they live, from
 * keepalive_s of silence on. To be called now and then: most connections are over long before
 * anybody could ask, and need not make the three system calls. */
void connected_keep_alive(void);

#endif
