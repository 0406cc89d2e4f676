/*
 * Datagrams of one association whose targets are names that are being resolved:
 * they wait, in order per name, bounded (outbound/udp_waiting.h), and are handed
 * on when the name's addresses are known. What to do with them then is the
 * owner's.
 */
#ifndef GATUN_OUTBOUND_UDP_NAMES_H
#define GATUN_OUTBOUND_UDP_NAMES_H

#include "outbound/udp_waiting.h"
#include "resolve/resolve.h"

struct udp_names_events {
	/* What became of a name. True: send() follows for each of its datagrams,
	 * in order; false: they are dropped and counted. */
	bool (*resolved)(void *owner, const struct target *name, const struct resolved *);
	void (*send)(void *owner, const struct datagram *);
};

struct udp_names {
	struct list pending;
	struct udp_waiting_budget budget;
	const struct udp_names_events *events;
	void *owner;
};

void udp_names_init(struct udp_names *, const struct udp_names_events *, void *owner);
/* Is this name being resolved? Then what is sent to it waits behind the rest. */
bool udp_names_pending(const struct udp_names *, const struct target *name);
/* Copies d to those that wait for its name, which is asked for if it is not yet.
 * What the bounds refuse is dropped and counted. */
void udp_names_wait(struct udp_names *, const struct datagram *d);
/* Drops and counts what waits; no event comes. */
void udp_names_clear(struct udp_names *);

#endif
