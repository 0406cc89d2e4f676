/*
 * The ends of this process's own sockets, so that what was routed back to us is told from
 * what an application sends: a loop ends where it is recognised, and else takes every
 * descriptor there is. Kept only where it can happen (`up`): elsewhere each call is one
 * branch.
 */
#ifndef GATUN_IO_OWN_SOCKETS_H
#define GATUN_IO_OWN_SOCKETS_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/hash.h"

/* One of them, embedded, zero-initialised. */
struct own_socket {
	struct hash_node node;
	bool known;
};

/* From now on sockets are remembered. 0 or -ENOMEM. */
int own_sockets_track(void);
/* type: SOCK_STREAM, SOCK_DGRAM. A stream has its peer; a socket of datagrams that has no port
 * yet gets one. */
void own_socket_add(struct own_socket *, int type, int fd, const struct addr *peer);
/* One that was never added is none. */
void own_socket_remove(struct own_socket *);

/* Is there one that sends from `self` (SOCK_STREAM: to `peer`)? A socket of datagrams that has any
 * address of this machine's counts for all of them: the caller knows that `self` is one. */
bool own_sockets_know(int type, const struct addr *self, const struct addr *peer);

#endif
