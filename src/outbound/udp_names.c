/* See udp_names.h. A list will do: few names of one association are under way
 * at a time, and the look-up is over when there are none. */
#include "outbound/udp_names.h"

#include <stdlib.h>
#include <string.h>

#include "io/datagram_counters.h"

/* A name being resolved, and what waits for it. */
struct pending {
	struct list node;
	struct udp_names *names;
	struct resolve_query *query;
	struct list waiting; /* udp_waiting.h */
	struct target target;
};

void udp_names_init(struct udp_names *n, const struct udp_names_events *events, void *owner)
{
	*n = (struct udp_names){ .events = events, .owner = owner };
	list_init(&n->pending);
}

static void end_pending(struct pending *q)
{
	udp_waiting_drain(&q->waiting, &q->names->budget, NULL, NULL);
	list_remove(&q->node);
	free(q);
}

static void on_resolved(void *owner, const struct resolved *found)
{
	struct pending *q = owner;
	struct udp_names *n = q->names;

	q->query = NULL;
	if (n->events->resolved(n->owner, &q->target, found))
		udp_waiting_drain(&q->waiting, &n->budget, n->events->send, n->owner);
	end_pending(q);
}

static struct pending *find(const struct udp_names *n, const struct target *t)
{
	list_for_each (it, &n->pending) {
		struct pending *q = container_of(it, struct pending, node);
		if (q->target.name_len == t->name_len && memcmp(q->target.name, t->name, t->name_len) == 0)
			return q;
	}
	return NULL;
}

static struct pending *ask(struct udp_names *n, const struct target *t)
{
	struct pending *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->names = n;
	q->target = *t;
	list_init(&q->waiting);
	q->query = resolve_start(t->name, t->name_len, on_resolved, q);
	if (!q->query) {
		free(q);
		return NULL;
	}
	list_append(&n->pending, &q->node);
	return q;
}

bool udp_names_pending(const struct udp_names *n, const struct target *name)
{
	return !list_empty(&n->pending) && find(n, name);
}

void udp_names_wait(struct udp_names *n, const struct datagram *d)
{
	struct pending *q = find(n, d->remote);

	if (!q)
		q = ask(n, d->remote);
	if (!q || !udp_waiting_push(&q->waiting, &n->budget, d))
		datagram_counters.dropped_queue++;
}

void udp_names_clear(struct udp_names *n)
{
	while (!list_empty(&n->pending)) {
		struct pending *q = container_of(n->pending.next, struct pending, node);

		if (q->query)
			resolve_cancel(q->query);
		end_pending(q);
	}
}
