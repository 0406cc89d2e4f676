/*
 * See alias.h for the rules. Records:
 *
 *	source ─┬─ fakes   (least recently sent to first)   fake ↔ learned twin
 *	        └─ reals   (the same, of those sent to by IP)
 *
 * All records are in one hash table keyed by source and address, so that a
 * datagram costs one look-up for its source (kept from the last datagram: apps
 * send in runs) and one for its address, whatever the source has sent to.
 * A fake without a twin is also in its source's `waiting`, latest last.
 *
 * Bounds: PEERS_MAX fakes and as many reals per source, RECORDS_MAX records in
 * all; the least recently used goes first. A learned record lives and dies
 * with its fake. Forgetting too early costs a reply its disguise, no more.
 */
#include "dns/alias.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/list.h"

#define PEERS_MAX 256u
#define RECORDS_MAX 16384u
#define RELEARN_LOOK 16 /* how many fakes rule 4 looks at */

enum kind { FAKE, REAL, LEARNED };

struct source {
	struct hash_node node;
	struct list lru;
	struct assoc_key key;
	struct list fakes, reals, waiting;
	unsigned n_fakes, n_reals;
};

struct record {
	struct hash_node node;
	struct list peers;   /* in fakes or reals; LEARNED: in none */
	struct list waiting; /* FAKE without a twin */
	struct source *source;
	struct record *twin; /* FAKE ↔ LEARNED */
	uint64_t sent_ms, heard_ms; /* FAKE */
	struct addr addr;
	enum kind kind;
};

static struct hash sources, records;
static struct list all_sources; /* least recently used first */
static struct source *last;

int alias_init(void)
{
	int ret = hash_init(&sources);

	list_init(&all_sources);
	last = NULL;
	if (ret == 0 && (ret = hash_init(&records)) < 0)
		hash_free(&sources);
	return ret;
}

bool alias_any(void)
{
	return sources.count != 0;
}

/* ---- records ---- */

static uint64_t record_hash(const struct source *s, const struct addr *a)
{
	uint8_t key[sizeof(s) + sizeof(*a)];

	memcpy(key, &s, sizeof(s));
	memcpy(key + sizeof(s), a, sizeof(*a));
	return hash_bytes(key, sizeof(key));
}

static struct record *record_find(const struct source *s, const struct addr *a)
{
	uint64_t value = record_hash(s, a);

	for (struct hash_node *n = hash_first(&records, value); n; n = hash_next(n, value)) {
		struct record *r = container_of(n, struct record, node);

		if (r->source == s && addr_equal(&r->addr, a))
			return r;
	}
	return NULL;
}

static void record_free(struct record *r)
{
	if (r->kind == FAKE) {
		r->source->n_fakes--;
		if (r->twin)
			record_free(r->twin);
	} else if (r->kind == REAL) {
		r->source->n_reals--;
	} else {
		r->twin->twin = NULL;
	}
	hash_remove(&records, &r->node);
	list_remove(&r->peers);
	list_remove(&r->waiting);
	free(r);
}

/* The record itself; its lists are the caller's. */
static struct record *record_new(struct source *s, const struct addr *a, enum kind kind)
{
	struct record *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	list_init(&r->peers);
	list_init(&r->waiting);
	r->source = s;
	r->addr = *a;
	r->kind = kind;
	hash_insert(&records, &r->node, record_hash(s, a));
	return r;
}

/* ---- sources ---- */

static struct source *source_find(const struct assoc_key *key)
{
	uint64_t value;

	if (last && last->key.session == key->session && addr_equal(&last->key.addr, &key->addr))
		return last;
	value = hash_bytes(&key->addr, sizeof(key->addr));
	for (struct hash_node *n = hash_first(&sources, value); n; n = hash_next(n, value)) {
		struct source *s = container_of(n, struct source, node);

		if (s->key.session == key->session && addr_equal(&s->key.addr, &key->addr))
			return last = s;
	}
	return NULL;
}

static void source_free(struct source *s)
{
	list_for_each_safe(it, &s->fakes)
		record_free(container_of(it, struct record, peers));
	list_for_each_safe(jt, &s->reals)
		record_free(container_of(jt, struct record, peers));
	hash_remove(&sources, &s->node);
	list_remove(&s->lru);
	if (last == s)
		last = NULL;
	free(s);
}

static struct source *source_new(const struct assoc_key *key)
{
	struct source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	list_init(&s->fakes);
	list_init(&s->reals);
	list_init(&s->waiting);
	s->key = *key;
	hash_insert(&sources, &s->node, hash_bytes(&key->addr, sizeof(key->addr)));
	list_append(&all_sources, &s->lru);
	return s;
}

static void drop_oldest(struct list *peers)
{
	record_free(container_of(list_first(peers), struct record, peers));
}

/* Room for one more record of `s`. */
static void make_room(struct source *s, struct list *peers, unsigned n)
{
	struct source *oldest = container_of(list_first(&all_sources), struct source, lru);

	if (n >= PEERS_MAX)
		drop_oldest(peers);
	while (records.count >= RECORDS_MAX && oldest != s) {
		source_free(oldest);
		oldest = container_of(list_first(&all_sources), struct source, lru);
	}
}

/* ---- datagrams out ---- */

bool alias_sent_fake(const struct assoc_key *key, const struct addr *fake, uint64_t now_ms)
{
	struct source *s = source_find(key);
	struct record *r;

	if (!s)
		s = source_new(key);
	if (!s)
		return false;
	list_move_last(&all_sources, &s->lru);
	r = record_find(s, fake);
	if (!r) {
		make_room(s, &s->fakes, s->n_fakes);
		r = record_new(s, fake, FAKE);
		if (!r)
			return false;
		s->n_fakes++;
	}
	list_move_last(&s->fakes, &r->peers);
	if (!r->twin)
		list_move_last(&s->waiting, &r->waiting);
	r->sent_ms = now_ms;
	return true;
}

void alias_sent_real(const struct assoc_key *key, const struct addr *real)
{
	struct source *s = source_find(key);
	struct record *r = s ? record_find(s, real) : NULL;

	if (!s)
		return;
	if (r && r->kind == LEARNED) {
		/* The app knows the address by itself: rule 1 from now on. */
		list_append(&s->waiting, &r->twin->waiting);
		record_free(r);
		r = NULL;
	}
	if (!r) {
		make_room(s, &s->reals, s->n_reals);
		r = record_new(s, real, REAL);
		if (!r)
			return;
		s->n_reals++;
	}
	list_move_last(&s->reals, &r->peers);
}

/* ---- replies ---- */

static struct record *latest_waiting(const struct source *s, uint16_t port)
{
	for (struct list *it = s->waiting.prev; it != &s->waiting; it = it->prev) {
		struct record *r = container_of(it, struct record, waiting);

		if (r->addr.port == port)
			return r;
	}
	return NULL;
}

static struct record *latest_silent(const struct source *s, uint16_t port, uint64_t now_ms)
{
	int look = RELEARN_LOOK;

	for (struct list *it = s->fakes.prev; it != &s->fakes && look--; it = it->prev) {
		struct record *r = container_of(it, struct record, peers);

		if (r->twin && r->addr.port == port && r->sent_ms > r->heard_ms &&
		    now_ms - r->heard_ms >= ALIAS_SILENT_MS)
			return r;
	}
	return NULL;
}

static bool learn(struct record *fake, const struct addr *real)
{
	struct record *r = record_new(fake->source, real, LEARNED);

	if (!r)
		return false;
	if (fake->twin)
		record_free(fake->twin);
	list_remove(&fake->waiting);
	fake->twin = r;
	r->twin = fake;
	return true;
}

bool alias_reply(const struct assoc_key *key, const struct addr *real, uint64_t now_ms, struct addr *fake)
{
	struct source *s = source_find(key);
	struct record *r = s ? record_find(s, real) : NULL;

	if (!s)
		return false;
	if (r && r->kind != LEARNED)
		return false;
	if (r) {
		r = r->twin;
	} else {
		r = latest_waiting(s, real->port);
		if (!r)
			r = latest_silent(s, real->port, now_ms);
		if (!r || !learn(r, real))
			return false;
	}
	r->heard_ms = now_ms;
	*fake = r->addr;
	return true;
}

bool alias_find(const struct assoc_key *key, bool (*is)(const struct addr *fake, const void *arg), const void *arg,
		struct addr *fake)
{
	struct source *s = source_find(key);

	if (!s)
		return false;
	for (struct list *it = s->fakes.prev; it != &s->fakes; it = it->prev) {
		*fake = container_of(it, struct record, peers)->addr;
		if (is(fake, arg))
			return true;
	}
	return false;
}

void alias_forget(const struct assoc_key *key)
{
	struct source *s = source_find(key);

	if (s)
		source_free(s);
}

void alias_free(void)
{
	list_for_each_safe(it, &all_sources)
		source_free(container_of(it, struct source, lru));
	hash_free(&sources);
	hash_free(&records);
}
