/*
 * See fakeip.h. A map is a table of records by index and, beside it, slots
 * of the same indices with all that need not outlive the processes: ages, and
 * chains by which a name is found.
 *
 * Who gives out an address has the lock, which survives its holder: who takes
 * it after one was killed makes the slots anew from the records. Who looks up
 * or touches takes none: a record says by its slot's turn whether it was
 * rewritten while it was read, and only records whose time is over are; an age
 * is one word.
 *
 * Invariants:
 * - a record with len 0 is nobody's, and so is one beyond common->count;
 * - a record that counts is in the chain of its name's bucket, once; which that is its
 *   slot knows, since a file may be changed by others while we have it;
 * - the slots of records that count have a last_ms that is not 0.
 */
#include "resolve/fakeip_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/shared.h"

#define NET4 0xc6120000u /* 198.18.0.0/15 */
#define LEN4 15
#define LEN6 64
#define BLOCK 256u
#define HOSTS_PER_BLOCK 254u
#define TOUCH_MS 1000

/* ---- addresses ---- */

/* How many names an IPv4 range has addresses for. */
static uint32_t hosts(uint8_t len)
{
	return len <= 24 ? (1u << (24 - len)) * HOSTS_PER_BLOCK : (1u << (32 - len)) - 2;
}

struct addr fakeip_v4(const struct fakeip *f, uint32_t index, uint16_t port)
{
	uint8_t ip[4];

	put32(ip, f->net4 + index / HOSTS_PER_BLOCK * BLOCK + 1 + index % HOSTS_PER_BLOCK);
	return addr_v4(ip, port);
}

struct addr fakeip_v6(const struct fakeip *f, uint32_t index, uint16_t port)
{
	uint8_t ip[16];

	memcpy(ip, f->net6, sizeof(ip));
	put32(ip + 12, index + 1); /* the subnet router's anycast address is nobody's */
	return addr_v6(ip, port);
}

struct addr fakeip_net4(const struct fakeip *f, uint8_t *len)
{
	uint8_t ip[4];

	put32(ip, f->net4);
	*len = f->len4;
	return addr_v4(ip, 0);
}

struct addr fakeip_net6(const struct fakeip *f, uint8_t *len)
{
	*len = f->len6;
	return addr_v6(f->net6, 0);
}

static bool in_net6(const struct fakeip *f, const uint8_t *ip)
{
	unsigned whole = f->len6 / 8u, bits = f->len6 % 8u;

	return !memcmp(ip, f->net6, whole) && (!bits || (ip[whole] ^ f->net6[whole]) >> (8 - bits) == 0);
}

bool fakeip_is_fake(const struct fakeip *f, const struct addr *a)
{
	if (a->family == AF_INET)
		return (get32(a->ip.bytes) & f->mask4) == f->net4;
	return a->family == AF_INET6 && in_net6(f, a->ip.bytes);
}

/* UINT32_MAX: none. */
static uint32_t index_of(const struct fakeip *f, const struct addr *a)
{
	uint32_t host, offset;

	if (a->family == AF_INET6)
		return memcmp(a->ip.bytes, f->net6, 12) == 0 ? get32(a->ip.bytes + 12) - 1 : UINT32_MAX;
	offset = get32(a->ip.bytes) - f->net4;
	host = offset % BLOCK;
	if (host == 0 || host == BLOCK - 1)
		return UINT32_MAX;
	return offset / BLOCK * HOSTS_PER_BLOCK + host - 1;
}

/* ---- records ---- */

static void sum_of(const struct fakeip *f, uint32_t index, const struct fakeip_record *r, uint8_t *out)
{
	uint8_t text[sizeof(index) + 1 + sizeof(r->name)];

	memcpy(text, &index, sizeof(index));
	text[sizeof(index)] = r->len;
	memcpy(text + sizeof(index) + 1, r->name, r->len);
	crypto_shorthash(out, text, sizeof(index) + 1 + r->len, f->key);
}

/* A name that could have been asked for. */
static bool is_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)name[i] <= ' ' || name[i] == 0x7f)
			return false;
	return len > 0;
}

static bool counts(const struct fakeip *f, uint32_t index)
{
	const struct fakeip_record *r = &f->records[index];
	uint8_t sum[crypto_shorthash_BYTES];

	if (!is_name(r->name, r->len) || r->name[r->len] != 0)
		return false;
	sum_of(f, index, r, sum);
	return memcmp(sum, r->sum, sizeof(sum)) == 0;
}

static uint64_t print_of(const struct fakeip *f, const char *name, size_t len)
{
	uint64_t print;

	crypto_shorthash((uint8_t *)&print, (const uint8_t *)name, len, f->key);
	return print;
}

static uint32_t bucket_of(uint64_t print)
{
	return print >> 32 & (FAKEIP_BUCKETS - 1);
}

static void begin_write(struct fakeip_slot *s)
{
	__atomic_store_n(&s->turn, s->turn | 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void end_write(struct fakeip_slot *s)
{
	__atomic_store_n(&s->turn, (s->turn | 1) + 1, __ATOMIC_RELEASE);
}

/* Nobody's from now on, and in no chain: killed in between, it does not count. */
static void empty(struct fakeip *f, uint32_t index)
{
	struct fakeip_slot *s = &f->common->slots[index];
	struct fakeip_record *r = &f->records[index];

	begin_write(s);
	memset(r->sum, 0, sizeof(r->sum));
	r->len = 0;
	end_write(s);
}

static void fill(struct fakeip *f, uint32_t index, const char *name, size_t len)
{
	struct fakeip_slot *s = &f->common->slots[index];
	struct fakeip_record *r = &f->records[index];

	begin_write(s);
	memcpy(r->name, name, len);
	r->name[len] = 0;
	r->used = s->used = 0;
	r->len = (uint8_t)len;
	sum_of(f, index, r, r->sum);
	end_write(s);
}

uint8_t fakeip_find(const struct fakeip *f, const struct addr *a, char *name, uint32_t *index)
{
	uint32_t i = fakeip_is_fake(f, a) ? index_of(f, a) : UINT32_MAX, turn;
	uint8_t len;

	if (i >= __atomic_load_n(&f->common->count, __ATOMIC_ACQUIRE))
		return 0;
	turn = __atomic_load_n(&f->common->slots[i].turn, __ATOMIC_ACQUIRE);
	len = f->records[i].len;
	memcpy(name, f->records[i].name, len);
	name[len] = 0;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (turn & 1 || __atomic_load_n(&f->common->slots[i].turn, __ATOMIC_RELAXED) != turn)
		return 0; /* its time was over, and another gets it */
	*index = i;
	return is_name(name, len) ? len : 0;
}

/* ---- chains; with the lock ---- */

static void chain(struct fakeip *f, uint32_t index, uint64_t print)
{
	struct fakeip_slot *s = &f->common->slots[index];
	uint32_t *bucket = &f->common->buckets[bucket_of(print)];

	s->print = (uint32_t)print;
	s->next = *bucket;
	*bucket = index + 1;
	s->bucket = (uint16_t)(bucket_of(print) + 1);
}

static void unchain(struct fakeip *f, uint32_t index)
{
	struct fakeip_slot *s = &f->common->slots[index];
	uint32_t *at = &f->common->buckets[s->bucket - 1];

	while (*at && *at != index + 1)
		at = &f->common->slots[*at - 1].next;
	if (*at)
		*at = s->next;
	s->bucket = 0;
}

/* UINT32_MAX: it has none. */
static uint32_t find_name(const struct fakeip *f, const char *name, size_t len, uint64_t print)
{
	for (uint32_t at = f->common->buckets[bucket_of(print)]; at; at = f->common->slots[at - 1].next) {
		const struct fakeip_record *r = &f->records[at - 1];

		if (f->common->slots[at - 1].print == (uint32_t)print && r->len == len && !memcmp(r->name, name, len))
			return at - 1;
	}
	return UINT32_MAX;
}

void fakeip_rebuild(struct fakeip *f, uint64_t now_ms)
{
	struct fakeip_common *c = f->common;

	memset(c->buckets, 0, sizeof(c->buckets));
	c->live = 0;
	fakeip_oldest_forget(f);
	for (uint32_t i = 0; i < c->count; i++) {
		struct fakeip_slot *s = &c->slots[i];

		s->bucket = 0;
		if (!counts(f, i)) {
			empty(f, i);
			continue;
		}
		if (s->turn & 1)
			end_write(s);
		if (!s->last_ms)
			s->last_ms = now_ms ? now_ms : 1;
		s->used = f->records[i].used != 0;
		chain(f, i, print_of(f, f->records[i].name, f->records[i].len));
		c->live++;
	}
}

/* ---- giving out ---- */

static void take_away(struct fakeip *f, uint32_t index)
{
	if (!f->common->slots[index].bucket)
		return;
	unchain(f, index);
	empty(f, index);
	f->common->live--;
}

/* An index that is nobody's. 0 or -ENOSPC. */
static int free_index(struct fakeip *f, uint64_t now_ms, uint32_t *index)
{
	struct fakeip_common *c = f->common;

	if (c->count < c->room || (c->room < f->max && fakeip_grow(f) == 0)) {
		*index = c->count;
		__atomic_store_n(&c->count, c->count + 1, __ATOMIC_RELEASE);
		return 0;
	}
	if (fakeip_oldest(f, now_ms, index) != 0)
		return -ENOSPC;
	take_away(f, *index);
	return 0;
}

static void renew(struct fakeip *f, uint32_t index, uint64_t now_ms)
{
	__atomic_store_n(&f->common->slots[index].last_ms, now_ms ? now_ms : 1, __ATOMIC_RELAXED);
}

static int assign(struct fakeip *f, const char *name, size_t len, uint64_t now_ms, uint32_t *index)
{
	uint64_t print = print_of(f, name, len);
	int err = 0;

	*index = find_name(f, name, len, print);
	if (*index != UINT32_MAX) {
		renew(f, *index, now_ms);
		return 0;
	}
	err = free_index(f, now_ms, index);
	if (err)
		return err;
	renew(f, *index, now_ms);
	fill(f, *index, name, len);
	chain(f, *index, print);
	f->common->live++;
	return 0;
}

int fakeip_assign(struct fakeip *f, const char *name, size_t len, uint64_t now_ms, uint32_t *index)
{
	int err;

	if (shared_lock(&f->common->lock))
		fakeip_rebuild(f, now_ms);
	err = assign(f, name, len, now_ms, index);
	shared_unlock(&f->common->lock);
	return err;
}

void fakeip_touch(struct fakeip *f, uint32_t index, uint64_t now_ms)
{
	uint8_t *used = &f->common->slots[index].used;

	if (*used && now_ms - __atomic_load_n(&f->common->slots[index].last_ms, __ATOMIC_RELAXED) < TOUCH_MS)
		return;
	f->records[index].used = *used = 1;
	renew(f, index, now_ms);
}

uint32_t fakeip_flush(struct fakeip *f, uint64_t now_ms)
{
	uint32_t before;

	if (shared_lock(&f->common->lock))
		fakeip_rebuild(f, now_ms);
	before = f->common->live;
	for (uint32_t i = 0; i < f->common->count; i++) {
		uint64_t last = __atomic_load_n(&f->common->slots[i].last_ms, __ATOMIC_RELAXED);

		if (now_ms > last && now_ms - last >= FAKEIP_FLUSH_MS)
			take_away(f, i);
	}
	fakeip_oldest_forget(f);
	before -= f->common->live;
	shared_unlock(&f->common->lock);
	return before;
}

uint32_t fakeip_count(const struct fakeip *f)
{
	return __atomic_load_n(&f->common->live, __ATOMIC_RELAXED);
}

/* ---- life ---- */

static uint32_t max_of(const struct fakeip_options *o, uint8_t len4)
{
	uint32_t max = hosts(len4) < FAKEIP_MAX ? hosts(len4) : FAKEIP_MAX;

	return o->max && o->max < max ? o->max : max;
}

static void set_times(struct fakeip *f, uint32_t keep_s)
{
	f->used_ms = keep_s ? keep_s * UINT64_C(1000) : FAKEIP_USED_MS;
	f->answered_ms = f->used_ms < FAKEIP_ANSWERED_MS ? f->used_ms : FAKEIP_ANSWERED_MS;
}

static void set_ranges(struct fakeip *f, const struct fakeip_options *o)
{
	f->len4 = o->net4.family ? o->len4 : LEN4;
	f->mask4 = UINT32_MAX << (32 - f->len4);
	f->net4 = (o->net4.family ? get32(o->net4.ip.bytes) : NET4) & f->mask4;
	f->len6 = o->net6.family ? o->len6 : LEN6;
	if (o->net6.family) {
		memcpy(f->net6, o->net6.ip.bytes, sizeof(f->net6));
		return;
	}
	randombytes_buf(f->net6, LEN6 / 8);
	f->net6[0] = 0xfd;
}

struct fakeip *fakeip_make(const struct fakeip_options *o)
{
	struct fakeip *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->fd = -1;
	f->shared = o->shared;
	set_ranges(f, o);
	set_times(f, o->keep_s);
	f->max = max_of(o, f->len4);
	f->common_size = sizeof(*f->common) + f->max * sizeof(struct fakeip_slot);
	f->common = shared_map(f->common_size, o->shared);
	if (f->common && shared_lock_init(&f->common->lock) == 0)
		return f;
	fakeip_free(f);
	return NULL;
}

struct fakeip *fakeip_new(const struct fakeip_options *o)
{
	struct fakeip *f = fakeip_make(o);

	if (!f)
		return NULL;
	f->size = f->max * sizeof(*f->records);
	f->records = f->mapping = shared_map(f->size, o->shared);
	if (!f->records) {
		fakeip_free(f);
		return NULL;
	}
	f->common->room = f->max;
	randombytes_buf(f->key, sizeof(f->key));
	return f;
}
