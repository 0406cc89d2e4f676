/*
 * What was found out about paths that the kernel does not know: to a host, packets longer
 * than so much vanish, and no ICMP says so. Sockets that are opened to it obey
 * (io/tcp_socket.c, outbound/ss_udp_way.c), and whoever tells applications the MTU. Who finds
 * it out is outbound/path_probe.c; who suspects it is io/connected.c, where a connection
 * sends full packets and hears nothing.
 */
#ifndef GATUN_IO_PATH_H
#define GATUN_IO_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"

/* The longest IP packet that reaches the host, whatever its port; 0: none was found. */
uint16_t path_limit(const struct addr *peer);
/* The same, for a socket that will send there. */
uint16_t path_limit_to_use(const struct addr *peer);
/* Was it asked for by the latter since the last call? */
bool path_was_used(const struct addr *peer);
/* 0 takes it back. Without memory nothing is known. */
void path_set_limit(const struct addr *peer, uint16_t mtu);
void path_forget_all(void);
/* Goes up with every change: who keeps a limit looks again when it is another one. */
extern uint32_t path_number;

/* Who wants to hear of suspicions, embedded. Zero before the first path_listen(). */
struct path_listener {
	struct list node;
	/* Packets to this host may vanish; NULL: the network is another one. May be told in any
	 * place, so nothing is to be sent or ended from here. */
	void (*heard)(struct path_listener *, const struct addr *peer);
};
void path_listen(struct path_listener *, void (*heard)(struct path_listener *, const struct addr *));
void path_unlisten(struct path_listener *);
void path_tell(const struct addr *peer);
/* One alone: a limit has changed. */
void path_on_change(void (*changed)(void));

#endif
