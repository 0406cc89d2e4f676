/*
 * Salts by age: a ring of entries in order of arrival, and chains over them by
 * a keyed hash. The oldest entry is always the first of the ring, so forgetting
 * is popping; pages that the ring has left behind go back to the system, and
 * those of an empty store all do, so an idle server holds nothing.
 *
 * A store may be one for several processes. Then everything but struct
 * salt_store itself lies in memory that they share, under a lock. What a killed
 * holder of that lock may leave half done are the chains alone: an entry is
 * written before `span` takes it in, and `span` changes in one store. So the
 * chains are made anew from the ring, and nothing is forgotten.
 */
#include "crypto/salt_store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/shared.h"
#include "crypto/method.h"

#define CHAINS_MAX 65536u
#define CHUNK 256u /* entries whose pages are given back at a time */
#define PAGE 4096u

struct entry {
	uint64_t at;
	uint32_t next; /* index + 1 */
	uint8_t len, salt[SS_SALT_MAX];
};
static_assert(sizeof(struct entry) * CHUNK % PAGE == 0, "a chunk is whole pages");

/* What is shared, followed by the chains and the ring. */
struct common {
	pthread_mutex_t lock;
	volatile uint64_t span; /* oldest index << 32 | count */
};
static_assert(sizeof(struct common) <= PAGE, "the head of the mapping is a page");

struct salt_store {
	struct common *common;
	uint32_t *chains; /* index + 1 of the youngest entry */
	struct entry *ring;
	uint32_t chain_mask, max;
	uint64_t keep_ms;
	size_t chains_size, size;
	bool shared;
};

static uint32_t count_of(const struct salt_store *s) { return (uint32_t)s->common->span; }
static uint32_t oldest_of(const struct salt_store *s) { return (uint32_t)(s->common->span >> 32); }

static uint32_t *chain_of(const struct salt_store *s, const struct entry *e)
{
	return &s->chains[hash_bytes(e->salt, e->len) & s->chain_mask];
}

static void link_entry(struct salt_store *s, uint32_t index)
{
	uint32_t *chain = chain_of(s, &s->ring[index]);

	s->ring[index].next = *chain;
	*chain = index + 1;
}

static void repair(struct salt_store *s)
{
	memset(s->chains, 0, s->chains_size);
	for (uint32_t i = 0; i < count_of(s); i++)
		link_entry(s, (uint32_t)(((uint64_t)oldest_of(s) + i) % s->max));
}

static void lock(struct salt_store *s)
{
	if (s->shared && shared_lock(&s->common->lock))
		repair(s);
}

static void unlock(struct salt_store *s)
{
	if (s->shared)
		shared_unlock(&s->common->lock);
}

/* ---- life ---- */

static size_t whole_pages(size_t bytes)
{
	return (bytes + PAGE - 1) / PAGE * PAGE;
}

static void lay_out(struct salt_store *s, uint32_t max)
{
	uint32_t chains = 1;

	while (chains < max && chains < CHAINS_MAX)
		chains *= 2;
	s->chain_mask = chains - 1;
	s->max = max;
	s->chains_size = whole_pages(chains * sizeof(*s->chains));
	s->size = PAGE + s->chains_size + whole_pages((size_t)max * sizeof(*s->ring));
}

static struct salt_store *new_store(uint64_t keep_ms, size_t max, bool shared)
{
	struct salt_store *s = calloc(1, sizeof(*s));
	uint8_t *at;

	assert(max > 0 && max < UINT32_MAX);
	if (!s)
		return NULL;
	lay_out(s, (uint32_t)max);
	s->keep_ms = keep_ms;
	s->shared = shared;
	at = shared_map(s->size, shared);
	if (!at) {
		free(s);
		return NULL;
	}
	s->common = (struct common *)(void *)at;
	s->chains = (uint32_t *)(void *)(at + PAGE);
	s->ring = (struct entry *)(void *)(at + PAGE + s->chains_size);
	if (shared && shared_lock_init(&s->common->lock) < 0) {
		salt_store_free(s);
		return NULL;
	}
	return s;
}

struct salt_store *salt_store_new(uint64_t keep_ms, size_t max)
{
	return new_store(keep_ms, max, false);
}

struct salt_store *salt_store_new_shared(uint64_t keep_ms, size_t max)
{
	hash_bytes("", 0); /* draws the key of the hash, which children must agree on */
	return new_store(keep_ms, max, true);
}

void salt_store_free(struct salt_store *s)
{
	if (!s)
		return;
	shared_unmap(s->common, s->size);
	free(s);
}

/* ---- forgetting ---- */

static void unlink_entry(struct salt_store *s, uint32_t index)
{
	for (uint32_t *at = chain_of(s, &s->ring[index]); *at; at = &s->ring[*at - 1].next) {
		if (*at != index + 1)
			continue;
		*at = s->ring[index].next;
		return;
	}
}

/* The ring has left this chunk, and its end is nowhere near. */
static void give_back(struct salt_store *s, uint32_t chunk)
{
	if (s->max - count_of(s) > 2 * CHUNK)
		shared_drop(&s->ring[chunk * CHUNK], CHUNK * sizeof(*s->ring), s->shared);
}

static void forget_oldest(struct salt_store *s)
{
	uint32_t index = oldest_of(s), next = index + 1 < s->max ? index + 1 : 0;

	unlink_entry(s, index);
	s->common->span = (uint64_t)next << 32 | (count_of(s) - 1);
	if (next % CHUNK == 0 && next)
		give_back(s, next / CHUNK - 1);
}

/* All chains are empty, so that their pages are zeros anyway. */
static void give_all_back(struct salt_store *s)
{
	s->common->span = 0;
	shared_drop(s->chains, s->size - PAGE, s->shared);
}

static bool is_due(const struct salt_store *s, uint64_t now_ms)
{
	const struct entry *e = &s->ring[oldest_of(s)];

	return count_of(s) && now_ms > e->at && now_ms - e->at > s->keep_ms;
}

static void expire(struct salt_store *s, uint64_t now_ms)
{
	if (!is_due(s, now_ms))
		return;
	while (is_due(s, now_ms))
		forget_oldest(s);
	if (!count_of(s))
		give_all_back(s);
}

void salt_store_expire(struct salt_store *s, uint64_t now_ms)
{
	lock(s);
	expire(s, now_ms);
	unlock(s);
}

/* ---- remembering ---- */

static bool seen(const struct salt_store *s, const uint8_t *salt, size_t len)
{
	for (uint32_t i = s->chains[hash_bytes(salt, len) & s->chain_mask]; i; i = s->ring[i - 1].next) {
		const struct entry *e = &s->ring[i - 1];

		if (e->len == len && !memcmp(e->salt, salt, len))
			return true;
	}
	return false;
}

static void append(struct salt_store *s, const uint8_t *salt, size_t len, uint64_t now_ms)
{
	uint32_t index = (uint32_t)(((uint64_t)oldest_of(s) + count_of(s)) % s->max);
	struct entry *e = &s->ring[index];

	e->at = now_ms;
	e->len = (uint8_t)len;
	memcpy(e->salt, salt, len);
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* of two stores of one process, a kill keeps the first */
	s->common->span++;
	link_entry(s, index);
}

static int insert(struct salt_store *s, const uint8_t *salt, size_t len, uint64_t now_ms)
{
	assert(len <= SS_SALT_MAX);
	expire(s, now_ms);
	if (seen(s, salt, len))
		return -EEXIST;
	if (count_of(s) >= s->max)
		return -ENOSPC;
	append(s, salt, len, now_ms);
	return 0;
}

int salt_store_insert(struct salt_store *s, const uint8_t *salt, size_t len, uint64_t now_ms)
{
	int rc;

	lock(s);
	rc = insert(s, salt, len, now_ms);
	unlock(s);
	return rc;
}

size_t salt_store_count(const struct salt_store *s)
{
	return count_of(s);
}
