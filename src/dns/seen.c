/*
 * Buckets of WAYS records. A record's turn is odd while it is written: who reads
 * sees by it that what he read is whole, and who writes takes it by making it
 * odd, so that there is one writer. One that was killed in the middle leaves
 * its record odd, which is then nobody's for good: one of 8,192.
 */
#include "dns/seen.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/shared.h"

#define BUCKETS 2048u
#define WAYS 4u

struct record {
	uint32_t turn;
	uint8_t len; /* 0: empty */
	uint64_t noted_ms;
	struct addr addr; /* port 0 */
	char name[TARGET_NAME_MAX + 1];
};

struct dns_seen {
	struct record (*buckets)[WAYS]; /* shared */
	uint8_t key[crypto_shorthash_KEYBYTES];
};

#define SIZE (BUCKETS * sizeof(struct record[WAYS]))

static struct record *bucket_of(const struct dns_seen *s, const struct addr *a)
{
	uint64_t hash;

	crypto_shorthash((uint8_t *)&hash, (const uint8_t *)a, sizeof(*a), s->key);
	return s->buckets[hash % BUCKETS];
}

static struct addr without_port(const struct addr *a)
{
	struct addr plain = *a;

	plain.port = 0;
	return plain;
}

/* A whole copy; false: it is being written. */
static bool read_record(const struct record *r, struct record *out)
{
	uint32_t turn = __atomic_load_n(&r->turn, __ATOMIC_ACQUIRE);

	memcpy(out, r, sizeof(*out));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return !(turn & 1) && __atomic_load_n(&r->turn, __ATOMIC_RELAXED) == turn;
}

bool dns_seen_find(const struct dns_seen *s, const struct addr *a, uint64_t now_ms, struct target *name)
{
	struct addr plain = without_port(a);
	const struct record *bucket = bucket_of(s, &plain);
	struct record r;

	for (unsigned i = 0; i < WAYS; i++) {
		if (!bucket[i].len || !read_record(&bucket[i], &r) || !addr_equal(&r.addr, &plain))
			continue;
		if (now_ms > r.noted_ms && now_ms - r.noted_ms >= DNS_SEEN_MS)
			return false;
		*name = (struct target){ .ip = { .port = a->port }, .name_len = r.len };
		memcpy(name->name, r.name, r.len);
		return r.len > 0;
	}
	return false;
}

/* Its own record, or an empty one, or the one noted longest ago. */
static struct record *place_for(struct record *bucket, const struct addr *a)
{
	struct record *oldest = &bucket[0];

	for (unsigned i = 0; i < WAYS; i++) {
		struct record *r = &bucket[i];

		if (r->turn & 1)
			continue;
		if (!r->len || addr_equal(&r->addr, a))
			return r;
		if (oldest->turn & 1 || r->noted_ms < oldest->noted_ms)
			oldest = r;
	}
	return oldest;
}

void dns_seen_note(struct dns_seen *s, const struct addr *a, const char *name, size_t len, uint64_t now_ms)
{
	struct addr plain = without_port(a);
	struct record *r = place_for(bucket_of(s, &plain), &plain);
	uint32_t turn = __atomic_load_n(&r->turn, __ATOMIC_RELAXED) & ~1u;

	if (!len || len > TARGET_NAME_MAX)
		return;
	if (!__atomic_compare_exchange_n(&r->turn, &turn, turn + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return; /* another writes it */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	r->addr = plain;
	r->noted_ms = now_ms;
	memcpy(r->name, name, len);
	r->name[len] = 0;
	r->len = (uint8_t)len;
	__atomic_store_n(&r->turn, turn + 2, __ATOMIC_RELEASE);
}

struct dns_seen *dns_seen_new(bool shared)
{
	struct dns_seen *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	randombytes_buf(s->key, sizeof(s->key));
	s->buckets = shared_map(SIZE, shared);
	if (s->buckets)
		return s;
	free(s);
	return NULL;
}

void dns_seen_free(struct dns_seen *s)
{
	if (!s)
		return;
	shared_unmap(s->buckets, SIZE);
	free(s);
}
