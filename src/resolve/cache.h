/*
 * Answers with an age: name → addresses, least recently used out first. An
 * entry without addresses is a negative answer. Time is handed in.
 */
#ifndef GATUN_RESOLVE_CACHE_H
#define GATUN_RESOLVE_CACHE_H

#include "base/hash.h"
#include "base/list.h"
#include "resolve/resolve.h"

struct resolve_cache {
	struct hash names;
	struct list lru; /* oldest first */
	uint32_t count, max;
};

int resolve_cache_init(struct resolve_cache *c, uint32_t max); /* 0 or -ENOMEM */
void resolve_cache_free(struct resolve_cache *c);
/* True and fills out, while the entry lives. */
bool resolve_cache_get(struct resolve_cache *c, const char *name, size_t len, uint64_t now_ms, struct resolved *out);
/* Replaces what was there. Without memory, or with ttl_ms 0, the name is not cached. */
void resolve_cache_put(struct resolve_cache *c, const char *name, size_t len, uint64_t now_ms, uint64_t ttl_ms,
		       const struct resolved *r);
/* Drops the name, unless it was put within the last min_age_ms. */
void resolve_cache_drop(struct resolve_cache *c, const char *name, size_t len, uint64_t now_ms, uint64_t min_age_ms);
/* Drops what has expired, whoever used it when. */
void resolve_cache_expire(struct resolve_cache *c, uint64_t now_ms);

#endif
