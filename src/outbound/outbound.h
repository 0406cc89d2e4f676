/*
 * An outbound: a way to reach targets. direct, shadowsocks and reject
 * implement it. It knows nothing of inbounds or flows.
 */
#ifndef GATUN_OUTBOUND_OUTBOUND_H
#define GATUN_OUTBOUND_OUTBOUND_H

#include "base/addr.h"
#include "io/datagram.h"
#include "io/stream.h"

struct outbound;
struct dial; /* a connect under way; opaque */

struct dial_events {
	/* The stream stands; it is the owner's now (bind it, then want). */
	void (*opened)(void *owner, struct stream *);
	void (*failed)(void *owner, enum flow_end);
};

struct outbound_ops {
	/* Never answers synchronously. Exactly one event follows, unless
	 * cancelled. NULL when memory or descriptors are exhausted (END_LIMIT). */
	struct dial *(*connect)(struct outbound *, const struct target *, const struct dial_events *, void *owner);
	void (*cancel)(struct dial *);
	/* A port for one association; bind it, then send. NULL: END_LIMIT, or
	 * the outbound carries no UDP. */
	struct datagram_port *(*port)(struct outbound *);
	void (*free)(struct outbound *);
};

struct outbound {
	const struct outbound_ops *ops;
	const char *name; /* tag for log and status */
};

#endif
