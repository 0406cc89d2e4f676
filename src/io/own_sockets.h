/*
 * The ends of our own sockets, of this process and of those beside it, so that what was
 * routed back to us is told from what an application sends: a loop ends where it is
 * recognised, and else takes every descriptor there is. Kept only where it can happen
 * (`up`): elsewhere each call is one branch.
 */
#ifndef GATUN_IO_OWN_SOCKETS_H
#define GATUN_IO_OWN_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* One socket, embedded, zero-initialised. */
struct own_socket {
	uint32_t mark, slot; /* mark 0: it is not remembered */
};

/* Room for `n` processes, made before they are (or for this one, n = 1). NULL: no memory. */
struct own_sockets;
struct own_sockets *own_sockets_new(int n);
void own_sockets_free(struct own_sockets *);
/* From now on this process remembers its sockets, as the one of that number; those of
 * an earlier life are forgotten. NULL: no more. */
void own_sockets_join(struct own_sockets *, int process);

/* type: SOCK_STREAM, SOCK_DGRAM. A stream has its peer; a socket of datagrams that has no port
 * yet gets one. Where there is no room it is not remembered. */
void own_socket_add(struct own_socket *, int type, int fd, const struct addr *peer);
/* One that was never added is none. */
void own_socket_remove(struct own_socket *);

/* Is there one that sends from `self` (SOCK_STREAM: to `peer`)? A socket of datagrams that has any
 * address of this machine's counts for all of them: the caller knows that `self` is one. */
bool own_sockets_know(int type, const struct addr *self, const struct addr *peer);

#endif
