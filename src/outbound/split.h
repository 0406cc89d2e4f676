/*
 * An outbound that sends each flow by one of two others, or nowhere. Which, a
 * function decides that it is given: of a target, and of a name's addresses
 * where the name alone does not tell. What it decides by is not known here.
 */
#ifndef GATUN_OUTBOUND_SPLIT_H
#define GATUN_OUTBOUND_SPLIT_H

#include "outbound/outbound.h"
#include "resolve/resolve.h"

enum split_way {
	SPLIT_PROXY,
	SPLIT_DIRECT,
	SPLIT_BLOCK,   /* TCP ends with END_DENIED, a datagram is dropped and counted (dropped_acl) */
	SPLIT_RESOLVE, /* of names: ask decide_resolved() */
};

struct split_options {
	struct outbound *proxy, *direct; /* borrowed; they outlive it and its flows */
	enum split_way (*decide)(const void *rules, const struct target *);
	/* Never SPLIT_RESOLVE; no addresses: the name has none. */
	enum split_way (*decide_resolved)(const void *rules, const struct addr *, int n);
	const void *rules; /* borrowed */
	/* It was freed, and its last flow has let go of it: so has it of all of these. Or NULL. */
	void (*gone)(void *owner);
	void *owner;
};

/* NULL: out of memory, and nobody is told. Freed while flows use it, it goes with the last of them. */
struct outbound *split_new(const struct split_options *);
/* Other rules from now on, for new TCP flows, and UDP targets as they come. */
void split_set_rules(struct outbound *, const void *rules);

#endif
