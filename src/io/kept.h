/*
 * Listening descriptors that outlive the process: one of several workers that
 * share their ports (SO_REUSEPORT) gives a copy of each to a keeper, and takes
 * them from there in its next life. So a client that was waiting in a queue when
 * its worker died is served after all, the kernel's choice of a worker for a
 * client stays what it was, and a port below 1024 needs no privilege twice.
 *
 * Whoever listens (tcp_listener.c, udp_socket.c) asks here; without a keeper
 * nothing is shared and nothing is kept. Who the keeper is, is not known here.
 */
#ifndef GATUN_IO_KEPT_H
#define GATUN_IO_KEPT_H

#include <stdbool.h>

#include "base/addr.h"

struct kept_keeper {
	/* The descriptor that was kept under this name, for the caller to own;
	 * -ENOENT: none is; -EADDRINUSE: this process listens there already.
	 * type: SOCK_STREAM or SOCK_DGRAM; the address as it was asked for. */
	int (*take)(void *owner, int type, const struct addr *);
	/* Keeps a copy. */
	void (*keep)(void *owner, int type, const struct addr *, int fd);
	/* Nobody will listen there again. */
	void (*drop)(void *owner, int type, const struct addr *);
	void *owner;
	/* This process opens an address before the others do: who has it already is
	 * a stranger, although the kernel would let one of the same user share it; but
	 * not where this process itself has just left. */
	bool first;
};

/* Borrowed; NULL: none. What is open now stays open. */
void kept_set_keeper(const struct kept_keeper *);

/* A descriptor that listens at `a`: the kept one, or what open(context, shared)
 * makes and binds. open gives a descriptor or -errno; shared: set SO_REUSEPORT
 * first. Port 0 is any, and never kept. */
int kept_open(int type, const struct addr *a, int (*open)(const void *context, bool shared), const void *context);
/* The descriptor is about to be closed, and for good. */
void kept_close(int type, const struct addr *a);

#endif
