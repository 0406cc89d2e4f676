/* UDP to anywhere from sockets of our own: one port per association, full cone. */
#ifndef GATUN_OUTBOUND_DIRECT_UDP_H
#define GATUN_OUTBOUND_DIRECT_UDP_H

#include <stdbool.h>

#include "io/datagram.h"
#include "io/socket_rules.h"
#include "outbound/filter.h"

struct direct_udp_options {
	bool allow_local; /* else datagrams to guard_is_local() targets are dropped and counted */
	const struct socket_rules *rules; /* or NULL; outlives the ports */
	const struct target_filter *filter; /* what else is dropped, after the above; or NULL; borrowed */
	void (*ended)(void *owner); /* the port is freed, and asks these no more; or NULL */
	void *owner;
};

/* One unconnected socket per address family, made on first use: every remote
 * may answer it. Names are resolved without blocking; what is sent meanwhile
 * waits in order (bounded). Copies the options. NULL: out of memory. */
struct datagram_port *direct_udp_port(const struct direct_udp_options *);

#endif
