/*
 * A TCP connection to a server or proxy: dialled by ourselves, or through
 * another outbound when something stands before it. What all outbounds with a
 * server of their own begin with.
 */
#ifndef GATUN_OUTBOUND_REACH_H
#define GATUN_OUTBOUND_REACH_H

#include "outbound/dial.h"

/* One of them; embedded, zero-initialised. */
struct reach {
	struct tcp_dial tcp;
	struct outbound *via;
	struct dial *dial; /* via's, while it dials */
	struct loop_work work;
	const struct dial_events *events;
	void *owner;
};

/* via NULL: by ourselves, as the options say (they outlive the dial). Through
 * another the name is not resolved here, and the options are the other's.
 * Exactly one event follows, never synchronously. */
void reach_start(struct reach *, struct outbound *via, const struct target *, const struct dial_options *,
		 const struct dial_events *, void *owner);
/* No event comes. Nothing to cancel after one. */
void reach_cancel(struct reach *);

#endif
