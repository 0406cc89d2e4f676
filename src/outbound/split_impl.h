/* What split.c and split_udp.c share. Not for other files. */
#ifndef GATUN_OUTBOUND_SPLIT_IMPL_H
#define GATUN_OUTBOUND_SPLIT_IMPL_H

#include "outbound/split.h"
#include "outbound/uses.h"

struct split {
	struct outbound outbound;
	struct split_options options;
	struct outbound_uses uses; /* dials, ports */
	unsigned generation; /* of the rules */
};

static inline enum split_way split_decide(const struct split *s, const struct target *t)
{
	return s->options.decide(s->options.rules, t);
}
static inline enum split_way split_decide_resolved(const struct split *s, const struct resolved *r)
{
	return s->options.decide_resolved(s->options.rules, r->addrs, r->n);
}
static inline struct outbound *split_via(const struct split *s, enum split_way way)
{
	return way == SPLIT_DIRECT ? s->options.direct : s->options.proxy;
}

/* split.c: a port has let go of it */
void split_release(struct split *);
/* split_udp.c; client: who asks, or NULL */
struct datagram_port *split_udp_port(struct split *, const struct addr *client);

#endif
