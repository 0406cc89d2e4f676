/*
 * Datagrams in the frames of a stream (proto/uot.h), both roles: what outbound/
 * and inbound/ have in common. It takes a stream and speaks in batches; who
 * opened the stream, and to whom the datagrams belong, it does not know.
 * See uot_link.c for its invariants.
 */
#ifndef GATUN_TRANSPORT_UOT_LINK_H
#define GATUN_TRANSPORT_UOT_LINK_H

#include "io/datagram.h"
#include "io/stream.h"

enum uot_role { UOT_CLIENT, UOT_SERVER_V1, UOT_SERVER_V2 };

/* Never from inside a call. Both may end the link. */
struct uot_link_events {
	/* As of a datagram_port; the keys are zero. */
	void (*receive)(void *owner, const struct datagram *, int n);
	/* Only uot_link_end() may follow. END_DONE: the peer said FIN. */
	void (*ended)(void *owner, enum flow_end);
};

struct uot_link;
/* Takes an established stream and binds it. NULL: no memory; the stream is the
 * caller's. */
struct uot_link *uot_link_new(struct stream *, enum uot_role, const struct uot_link_events *, void *owner);
/* Sends whole datagrams or drops and counts them: dropped_queue. */
void uot_link_send(struct uot_link *, const struct datagram *, int n);
/* Releases the link and ends its stream; freed in the deferred pass. */
void uot_link_end(struct uot_link *, enum flow_end);

#endif
