/*
 * An outbound: a way to reach targets. direct, shadowsocks and reject
 * implement it. It knows nothing of inbounds or flows.
 */
#ifndef GATUN_OUTBOUND_OUTBOUND_H
#define GATUN_OUTBOUND_OUTBOUND_H

#include "base/addr.h"
#include "base/clock.h"
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
	 * cancelled. A target of family 0 without a name asks for the way alone:
	 * the stream is to be ended before it sends anything. NULL when memory or descriptors are exhausted (END_LIMIT). */
	struct dial *(*connect)(struct outbound *, const struct target *, const struct dial_events *, void *owner);
	void (*cancel)(struct dial *);
	/* A port for one association; bind it, then send. NULL: END_LIMIT, or
	 * the outbound carries no UDP. */
	struct datagram_port *(*port)(struct outbound *);
	/* Once it is asked for nothing more; what it opened may live on. */
	void (*free)(struct outbound *);
	/* As connect and port, of an outbound that chooses by who asks (an
	 * address whose port means nothing). NULL: it does not care. */
	struct dial *(*connect_from)(struct outbound *, const struct addr *client, const struct target *,
				     const struct dial_events *, void *owner);
	struct datagram_port *(*port_from)(struct outbound *, const struct addr *client);
	/* Does the way stand already, and it is the target that is awaited? NULL:
	 * that is never waited for. */
	bool (*reached)(const struct dial *);
};

/* What an outbound with a server of its own has seen of it; for who chooses
 * among several, and for status. The others leave it alone. */
struct outbound_seen {
	uint64_t up, down;	  /* payload bytes, TCP and UDP */
	uint64_t udp_heard_ms;	  /* loop_now() when a datagram came back; 0: never */
	struct clock_skew skew;	  /* of the server's clock, where its method tells */
	uint16_t path_limit;	  /* longer packets vanish on the way to it (io/path.h); 0: none do, as far as is known */
	uint32_t udp_refusals;	  /* how often the network said that nobody takes them */
};

struct outbound {
	const struct outbound_ops *ops;
	const char *name; /* tag for log and status */
	/* Set before dial_events.failed is told: the way stands, and it is the
	 * target that failed. Another way would not do better. */
	bool target_failed;
	/* Set before dial_events.opened is told and before port() returns, by one that
	 * chooses among others: the name of him who carries it; else NULL. */
	const char *chosen;
	struct outbound_seen seen;
};

/* Whose way goes what was opened just now. Borrowed for that call. */
static inline const char *outbound_way(const struct outbound *o)
{
	return o->chosen ? o->chosen : o->name;
}

static inline struct dial *outbound_connect(struct outbound *o, const struct addr *client, const struct target *t,
					    const struct dial_events *events, void *owner)
{
	return o->ops->connect_from ? o->ops->connect_from(o, client, t, events, owner) : o->ops->connect(o, t, events, owner);
}

static inline struct datagram_port *outbound_port(struct outbound *o, const struct addr *client)
{
	return o->ops->port_from ? o->ops->port_from(o, client) : o->ops->port(o);
}

#endif
