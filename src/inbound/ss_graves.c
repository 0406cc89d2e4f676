/*
 * See ss_graves.h. A hash by session id, and a list in the order they came. That
 * is nearly the order of their age (one that was evicted in the middle of its
 * traffic is younger than one that ended idle just after it), so expiry stops
 * at the first that must stay: some stay longer than they need, none shorter.
 * No timer: the owner expires.
 */
#include "inbound/ss_graves.h"

#include <stdlib.h>

struct grave {
	struct hash_node node;
	struct list age;
	uint64_t id, last_packet_id, heard_ms;
};

static uint64_t id_hash(uint64_t id)
{
	return hash_bytes(&id, sizeof(id));
}

static struct grave *find(const struct ss_graves *g, uint64_t id)
{
	uint64_t h = id_hash(id);

	for (struct hash_node *n = hash_first(&g->by_id, h); n; n = hash_next(n, h)) {
		struct grave *v = container_of(n, struct grave, node);
		if (v->id == id)
			return v;
	}
	return NULL;
}

static void drop(struct ss_graves *g, struct grave *v)
{
	hash_remove(&g->by_id, &v->node);
	list_remove(&v->age);
	free(v);
}

int ss_graves_init(struct ss_graves *g)
{
	list_init(&g->by_age);
	return hash_init(&g->by_id);
}

void ss_graves_free(struct ss_graves *g)
{
	if (!g->by_age.next)
		return;
	while (!list_empty(&g->by_age))
		drop(g, container_of(g->by_age.next, struct grave, age));
	hash_free(&g->by_id);
}

void ss_graves_expire(struct ss_graves *g, uint64_t now_ms)
{
	while (!list_empty(&g->by_age)) {
		struct grave *v = container_of(g->by_age.next, struct grave, age);

		if (now_ms - v->heard_ms < SS_GRAVE_MS)
			return;
		drop(g, v);
	}
	hash_settle(&g->by_id);
}

void ss_graves_add(struct ss_graves *g, uint64_t id, uint64_t last_packet_id, uint64_t heard_ms)
{
	struct grave *v = find(g, id);

	if (v)
		drop(g, v);
	v = calloc(1, sizeof(*v));
	if (!v)
		return;
	v->id = id;
	v->last_packet_id = last_packet_id;
	v->heard_ms = heard_ms;
	list_append(&g->by_age, &v->age);
	hash_insert(&g->by_id, &v->node, id_hash(id));
	while (g->by_id.count > SS_GRAVES_MAX)
		drop(g, container_of(g->by_age.next, struct grave, age));
}

bool ss_graves_find(struct ss_graves *g, uint64_t id, uint64_t now_ms, uint64_t *last_packet_id)
{
	struct grave *v;

	ss_graves_expire(g, now_ms);
	v = find(g, id);
	if (v)
		*last_packet_id = v->last_packet_id;
	return v != NULL;
}
