/*
 * UDP as it is or in TCP streams, whichever works (`udp_over_tcp: auto`): ports
 * that stand before those of both ways, one breaker for all ports of a server.
 */
#ifndef GATUN_OUTBOUND_UOT_AUTO_H
#define GATUN_OUTBOUND_UOT_AUTO_H

#include "base/list.h"
#include "io/datagram.h"
#include "outbound/breaker.h"

/* Makes a port of one way; NULL: it cannot. */
typedef struct datagram_port *uot_auto_make(void *owner);

struct uot_auto_options {
	const char *name; /* of the server; borrowed */
	const uint64_t *tcp_heard_ms; /* when a byte last came by one of its streams; 0: never */
	uot_auto_make *udp, *tcp;
	void (*ended)(void *owner); /* a port that uot_auto_port() handed out is gone */
	void *owner;
};

struct uot_auto {
	struct list node; /* of all, for status */
	struct uot_auto_options options;
	struct breaker breaker;
	uint32_t racers;
};

void uot_auto_init(struct uot_auto *, const struct uot_auto_options *);
/* Its ports must have ended before. */
void uot_auto_end(struct uot_auto *);
/* A port for one association. NULL: out of memory, or neither way has one. */
struct datagram_port *uot_auto_port(struct uot_auto *);

/* All that there are in this process. */
void uot_auto_each(void (*fn)(void *owner, const struct uot_auto *), void *owner);

#endif
