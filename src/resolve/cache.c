/*
 * See cache.h. An entry is one allocation that holds its addresses and its
 * name; it is dropped when it is found expired, or when it is the least
 * recently used and the cache is full. Expired entries that nobody asks for
 * stay until resolve_cache_expire(), which looks at all: call it rarely.
 */
#include "resolve/cache.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	struct hash_node node;
	struct list lru;
	uint64_t put_ms, expires_ms;
	uint8_t n_addrs, len;
	struct addr addrs[]; /* and then the name */
};

static char *entry_name(const struct entry *e) { return (char *)&e->addrs[e->n_addrs]; }

int resolve_cache_init(struct resolve_cache *c, uint32_t max)
{
	*c = (struct resolve_cache){ .max = max };
	list_init(&c->lru);
	return hash_init(&c->names);
}

static void drop(struct resolve_cache *c, struct entry *e)
{
	hash_remove(&c->names, &e->node);
	list_remove(&e->lru);
	c->count--;
	free(e);
}

void resolve_cache_free(struct resolve_cache *c)
{
	list_for_each_safe(it, &c->lru)
		drop(c, container_of(it, struct entry, lru));
	hash_free(&c->names);
}

static struct entry *find(struct resolve_cache *c, const char *name, size_t len)
{
	uint64_t key = hash_bytes(name, len);

	for (struct hash_node *n = hash_first(&c->names, key); n; n = hash_next(n, key)) {
		struct entry *e = container_of(n, struct entry, node);
		if (e->len == len && !memcmp(entry_name(e), name, len))
			return e;
	}
	return NULL;
}

bool resolve_cache_get(struct resolve_cache *c, const char *name, size_t len, uint64_t now_ms, struct resolved *out)
{
	struct entry *e = find(c, name, len);

	if (!e)
		return false;
	if (e->expires_ms <= now_ms) {
		drop(c, e);
		return false;
	}
	list_move_last(&c->lru, &e->lru);
	out->n = e->n_addrs;
	memcpy(out->addrs, e->addrs, e->n_addrs * sizeof(*e->addrs));
	return true;
}

void resolve_cache_put(struct resolve_cache *c, const char *name, size_t len, uint64_t now_ms, uint64_t ttl_ms,
		       const struct resolved *r)
{
	struct entry *e = find(c, name, len);
	size_t addrs = (size_t)r->n * sizeof(r->addrs[0]);

	if (e)
		drop(c, e);
	if (ttl_ms == 0)
		return;
	if (c->count >= c->max)
		drop(c, container_of(list_first(&c->lru), struct entry, lru));
	e = malloc(sizeof(*e) + addrs + len);
	if (!e)
		return;
	e->put_ms = now_ms;
	e->expires_ms = now_ms + ttl_ms;
	e->n_addrs = (uint8_t)r->n;
	e->len = (uint8_t)len;
	memcpy(e->addrs, r->addrs, addrs);
	memcpy(entry_name(e), name, len);
	hash_insert(&c->names, &e->node, hash_bytes(name, len));
	list_append(&c->lru, &e->lru);
	c->count++;
}

void resolve_cache_drop(struct resolve_cache *c, const char *name, size_t len, uint64_t now_ms, uint64_t min_age_ms)
{
	struct entry *e = find(c, name, len);

	if (e && now_ms - e->put_ms >= min_age_ms)
		drop(c, e);
}

void resolve_cache_expire(struct resolve_cache *c, uint64_t now_ms)
{
	list_for_each_safe(it, &c->lru) {
		struct entry *e = container_of(it, struct entry, lru);

		if (e->expires_ms <= now_ms)
			drop(c, e);
	}
}
