/* What every inbound of streams tells its owner (the engine). */
#ifndef GATUN_INBOUND_INBOUND_H
#define GATUN_INBOUND_INBOUND_H

#include "base/addr.h"
#include "io/stream.h"

struct inbound_events {
	/* A client wants `target`. The stream is the owner's: bind it, dial, then
	 * stream_accept() and want(), or stream_end() with the reason. An
	 * inbound that holds its client back (TUN: SYN without SYN-ACK) does so
	 * until then; if the client goes away meanwhile, ended() says so. */
	void (*stream)(void *owner, struct stream *, const struct addr *client, const struct target *target);
};

#endif
