/*
 * A table of fixed size, eight places to a bucket, in memory that workers share (a
 * client's TCP and its UDP may land at two). A place is one word: a keyed
 * fingerprint of the address above, the second of its last proof below; so it
 * is read and written at once and needs no lock. A full bucket gives up its oldest.
 *
 * Two addresses with one fingerprint (44 bits under a key that nobody knows) would
 * prove each other: as unlikely as guessing it.
 */
#include "inbound/proven.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/shared.h"

#define BUCKETS 8192u
#define WAYS 8u
#define TIME_BITS 20
#define TIME_MASK ((1u << TIME_BITS) - 1) /* seconds: twelve days around */

struct proven {
	uint64_t (*buckets)[WAYS];
};

#define TABLE_SIZE (BUCKETS * WAYS * sizeof(uint64_t))

struct proven *proven_new(bool shared)
{
	struct proven *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	hash_bytes("", 0); /* draws the key of the hash, which children must agree on */
	p->buckets = shared_map(TABLE_SIZE, shared);
	if (!p->buckets) {
		free(p);
		return NULL;
	}
	return p;
}

void proven_free(struct proven *p)
{
	if (!p)
		return;
	shared_unmap(p->buckets, TABLE_SIZE);
	free(p);
}

static uint64_t fingerprint(const struct addr *a)
{
	struct addr host = *a;

	host.port = 0;
	return addr_hash(&host);
}

static uint32_t age_of(uint64_t place, uint64_t now_ms)
{
	return ((uint32_t)(now_ms / 1000) - (uint32_t)place) & TIME_MASK;
}

static bool is_of(uint64_t place, uint64_t print)
{
	return place && (place ^ print) >> TIME_BITS == 0;
}

static uint64_t *bucket_of(const struct proven *p, uint64_t print)
{
	return p->buckets[print & (BUCKETS - 1)];
}

/* The address's own place, else an empty one, else the oldest. */
static uint64_t *place_for(uint64_t *bucket, uint64_t print, uint64_t now_ms)
{
	uint64_t *best = &bucket[0];

	for (unsigned i = 0; i < WAYS; i++) {
		uint64_t place = __atomic_load_n(&bucket[i], __ATOMIC_RELAXED), other = __atomic_load_n(best, __ATOMIC_RELAXED);

		if (is_of(place, print))
			return &bucket[i];
		if (other && (!place || age_of(place, now_ms) > age_of(other, now_ms)))
			best = &bucket[i];
	}
	return best;
}

void proven_note(struct proven *p, const struct addr *a, uint64_t now_ms)
{
	uint64_t print = fingerprint(a), *place = place_for(bucket_of(p, print), print, now_ms);

	__atomic_store_n(place, (print & ~(uint64_t)TIME_MASK) | (now_ms / 1000 & TIME_MASK), __ATOMIC_RELAXED);
}

bool proven_is(const struct proven *p, const struct addr *a, uint64_t now_ms)
{
	uint64_t print = fingerprint(a);
	const uint64_t *bucket = bucket_of(p, print);

	for (unsigned i = 0; i < WAYS; i++) {
		uint64_t place = __atomic_load_n(&bucket[i], __ATOMIC_RELAXED);

		if (is_of(place, print))
			return age_of(place, now_ms) <= PROVEN_S;
	}
	return false;
}
