/*
 * Salts by age: a FIFO of blocks of entries in order of arrival, and a keyed
 * hash table over them. The oldest entry is always the first of the first
 * block, so forgetting is popping; a block whose entries are all forgotten is
 * freed, so an idle server holds nothing.
 */
#include "crypto/salt_store.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/list.h"
#include "crypto/method.h"

#define BLOCK_ENTRIES 126

struct entry {
	struct hash_node node;
	uint64_t at;
	uint8_t len, salt[SS_SALT_MAX];
};

struct block {
	struct block *next;
	uint16_t first, end; /* entries[first..end) live */
	struct entry entries[BLOCK_ENTRIES];
};

struct salt_store {
	struct hash table;
	struct block *oldest, *newest;
	uint64_t keep_ms;
	size_t max;
};

struct salt_store *salt_store_new(uint64_t keep_ms, size_t max)
{
	struct salt_store *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->keep_ms = keep_ms;
	s->max = max;
	if (hash_init(&s->table) < 0) {
		free(s);
		return NULL;
	}
	return s;
}

void salt_store_free(struct salt_store *s)
{
	if (!s)
		return;
	while (s->oldest) {
		struct block *b = s->oldest;

		s->oldest = b->next;
		free(b);
	}
	hash_free(&s->table);
	free(s);
}

static struct entry *oldest(const struct salt_store *s)
{
	return s->oldest ? &s->oldest->entries[s->oldest->first] : NULL;
}

static void forget_oldest(struct salt_store *s)
{
	struct block *b = s->oldest;

	hash_remove(&s->table, &b->entries[b->first].node);
	if (++b->first < b->end)
		return;
	s->oldest = b->next;
	if (!s->oldest)
		s->newest = NULL;
	free(b);
}

void salt_store_expire(struct salt_store *s, uint64_t now_ms)
{
	const struct entry *e;

	while ((e = oldest(s)) && now_ms > e->at && now_ms - e->at > s->keep_ms)
		forget_oldest(s);
	if (!s->oldest)
		hash_settle(&s->table);
}

static bool seen(struct salt_store *s, uint64_t hash, const uint8_t *salt, size_t len)
{
	for (struct hash_node *n = hash_first(&s->table, hash); n; n = hash_next(n, hash)) {
		const struct entry *e = container_of(n, struct entry, node);

		if (e->len == len && !memcmp(e->salt, salt, len))
			return true;
	}
	return false;
}

/* A place at the end of the FIFO; NULL: no memory. */
static struct entry *append(struct salt_store *s)
{
	struct block *b = s->newest;

	if (!b || b->end == BLOCK_ENTRIES) {
		b = malloc(sizeof(*b));
		if (!b)
			return NULL;
		b->next = NULL;
		b->first = b->end = 0;
		if (s->newest)
			s->newest->next = b;
		else
			s->oldest = b;
		s->newest = b;
	}
	return &b->entries[b->end++];
}

static int insert(struct salt_store *s, const uint8_t *salt, size_t len, uint64_t now_ms, bool evict)
{
	uint64_t hash = hash_bytes(salt, len);
	struct entry *e;

	assert(len <= SS_SALT_MAX);
	salt_store_expire(s, now_ms);
	if (seen(s, hash, salt, len))
		return -EEXIST;
	if (s->table.count >= s->max) {
		if (!evict || !s->oldest)
			return -ENOSPC;
		forget_oldest(s);
	}
	e = append(s);
	if (!e)
		return -ENOSPC;
	e->at = now_ms;
	e->len = (uint8_t)len;
	memcpy(e->salt, salt, len);
	hash_insert(&s->table, &e->node, hash);
	return 0;
}

int salt_store_insert(struct salt_store *s, const uint8_t *salt, size_t len, uint64_t now_ms)
{
	return insert(s, salt, len, now_ms, false);
}

int salt_store_insert_evict(struct salt_store *s, const uint8_t *salt, size_t len, uint64_t now_ms)
{
	return insert(s, salt, len, now_ms, true);
}

size_t salt_store_count(const struct salt_store *s)
{
	return s->table.count;
}
