/* Datagrams that wait, in order, for a name to resolve: copies, bounded by
 * count and bytes per association. */
#ifndef GATUN_OUTBOUND_UDP_WAITING_H
#define GATUN_OUTBOUND_UDP_WAITING_H

#include <stdbool.h>

#include "base/list.h"
#include "io/datagram.h"

#define UDP_WAITING_MAX 1024
#define UDP_WAITING_BYTES (1024u * 1024)

/* What one association has waiting, over all its queues. */
struct udp_waiting_budget {
	uint32_t count, bytes;
};

/* Copies d to the end of `queue`. False: over the bounds, or no memory. */
bool udp_waiting_push(struct list *queue, struct udp_waiting_budget *b, const struct datagram *d);
/* Hands all to `send` in order and frees them; a NULL send drops and counts them. */
void udp_waiting_drain(struct list *queue, struct udp_waiting_budget *b,
		       void (*send)(void *owner, const struct datagram *), void *owner);

#endif
