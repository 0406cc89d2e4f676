/* The queue of udp_waiting.h. The payload is copied into the smallest pool
 * buffer that holds it: what was received lies in slots that must go back at
 * the end of the turn. Bytes count as the pool counts them. */
#include "outbound/udp_waiting.h"

#include <stdlib.h>
#include <string.h>

#include "io/datagram_counters.h"

struct waiting {
	struct list node;
	struct slice payload; /* owned */
	struct target remote;
	uint16_t segment;
};

bool udp_waiting_push(struct list *queue, struct udp_waiting_budget *b, const struct datagram *d)
{
	struct waiting *w;
	struct buf *copy;

	if (b->count >= UDP_WAITING_MAX || b->bytes >= UDP_WAITING_BYTES)
		return false;
	copy = buf_get(d->payload.len);
	w = copy ? malloc(sizeof(*w)) : NULL;
	if (!w) {
		if (copy)
			buf_unref(copy);
		return false;
	}
	if (d->payload.len)
		memcpy(copy->data, slice_data(&d->payload), d->payload.len);
	w->payload = (struct slice){ copy, 0, d->payload.len };
	w->remote = *d->remote;
	w->segment = d->segment;
	list_append(queue, &w->node);
	b->count++;
	b->bytes += copy->size;
	return true;
}

void udp_waiting_drain(struct list *queue, struct udp_waiting_budget *b,
		       void (*send)(void *owner, const struct datagram *), void *owner)
{
	while (!list_empty(queue)) {
		struct waiting *w = container_of(queue->next, struct waiting, node);
		struct datagram d = { .remote = &w->remote, .payload = w->payload, .segment = w->segment };

		list_remove(&w->node);
		if (send)
			send(owner, &d);
		else
			datagram_counters.dropped_queue++;
		b->count--;
		b->bytes -= w->payload.buf->size;
		slice_unref(w->payload);
		free(w);
	}
}
