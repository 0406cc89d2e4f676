/* What every inbound tells its owner (the engine), and asks of it. */
#ifndef GATUN_INBOUND_INBOUND_H
#define GATUN_INBOUND_INBOUND_H

#include "base/addr.h"
#include "io/stream.h"

struct inbound_events {
	/* Is this client welcome? Asked at accept, before anything is read (by an
	 * inbound of datagrams: once per new association, after its first was
	 * opened). END_DONE: yes; any other word is what it is turned away with, by
	 * a reset, and counted under. NULL: everybody is. An inbound that holds its
	 * clients in a sandbox (TUN) does not ask. */
	enum flow_end (*admit)(void *owner, const struct addr *client);
	/* A client wants `target`. The stream is the owner's: bind it, dial, then
	 * stream_accept() and want(), or stream_end() with the reason. An
	 * inbound that holds its client back (TUN: SYN without SYN-ACK) does so
	 * until then; if the client goes away meanwhile, ended() says so. */
	void (*stream)(void *owner, struct stream *, const struct addr *client, const struct target *target);
};

/* admit(), asked and counted for a connection. */
enum flow_end inbound_admit(const struct inbound_events *, void *owner, const struct addr *client);

/* How many clients may be silent at a time: those that have not said what they want, for
 * which nobody needs a key, leave three quarters of the descriptors to the others. */
unsigned inbound_guests_max(void);

#endif
