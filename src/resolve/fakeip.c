/*
 * See fakeip.h. Invariants:
 * - an index is in at most one entry; an entry is in `names`, in one of the
 *   two ages' lists, and in the page of its index, or it does not exist;
 * - each list is ordered by last_ms, to within TOUCH_MS, so that its head
 *   alone says whether anything in it may be given away.
 */
#include "resolve/fakeip.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NET4 0xc6120000u /* 198.18.0.0/15 */
#define MASK4 0xfffe0000u
#define HOSTS_PER_BLOCK 254u
#define TOUCH_MS 1000

int fakeip_init(struct fakeip *f, uint32_t max)
{
	*f = (struct fakeip){ .max = max && max < FAKEIP_MAX ? max : FAKEIP_MAX };
	list_init(&f->answered);
	list_init(&f->used);
	randombytes_buf(f->prefix6, sizeof(f->prefix6));
	f->prefix6[0] = 0xfd;
	return hash_init(&f->names);
}

/* ---- addresses ---- */

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

struct addr fakeip_v4(const struct fakeip_entry *e, uint16_t port)
{
	uint8_t ip[4];

	put32(ip, NET4 + (e->index / HOSTS_PER_BLOCK << 8) + 1 + e->index % HOSTS_PER_BLOCK);
	return addr_v4(ip, port);
}

struct addr fakeip_v6(const struct fakeip *f, const struct fakeip_entry *e, uint16_t port)
{
	uint8_t ip[16] = { 0 };

	memcpy(ip, f->prefix6, sizeof(f->prefix6));
	put32(ip + 12, e->index + 1); /* the subnet router's anycast address is nobody's */
	return addr_v6(ip, port);
}

bool fakeip_is_fake(const struct fakeip *f, const struct addr *a)
{
	if (a->family == AF_INET)
		return (get32(a->ip.bytes) & MASK4) == NET4;
	return a->family == AF_INET6 && !memcmp(a->ip.bytes, f->prefix6, sizeof(f->prefix6));
}

/* UINT32_MAX: none. */
static uint32_t index_of(const struct addr *a)
{
	uint32_t host, offset;

	if (a->family == AF_INET6) {
		if (get32(a->ip.bytes + 8) != 0)
			return UINT32_MAX;
		return get32(a->ip.bytes + 12) - 1;
	}
	offset = get32(a->ip.bytes) - NET4;
	host = offset & 0xff;
	if (host == 0 || host == 0xff)
		return UINT32_MAX;
	return (offset >> 8) * HOSTS_PER_BLOCK + host - 1;
}

struct fakeip_entry *fakeip_find_addr(const struct fakeip *f, const struct addr *a)
{
	uint32_t index = fakeip_is_fake(f, a) ? index_of(a) : UINT32_MAX;
	struct fakeip_entry **page;

	if (index >= FAKEIP_MAX)
		return NULL;
	page = f->pages[index / FAKEIP_PAGE];
	return page ? page[index % FAKEIP_PAGE] : NULL;
}

/* ---- names ---- */

struct fakeip_entry *fakeip_find_name(const struct fakeip *f, const char *name, size_t len)
{
	uint64_t key = hash_bytes(name, len);

	for (struct hash_node *n = hash_first(&f->names, key); n; n = hash_next(n, key)) {
		struct fakeip_entry *e = container_of(n, struct fakeip_entry, node);

		if (e->len == len && !memcmp(e->name, name, len))
			return e;
	}
	return NULL;
}

static void drop(struct fakeip *f, struct fakeip_entry *e)
{
	hash_remove(&f->names, &e->node);
	list_remove(&e->lru);
	f->pages[e->index / FAKEIP_PAGE][e->index % FAKEIP_PAGE] = NULL;
	f->count--;
	free(e);
}

static struct fakeip_entry *expired(struct list *lru, uint64_t now_ms, uint64_t keep_ms)
{
	struct list *oldest = list_first(lru);
	struct fakeip_entry *e = oldest ? container_of(oldest, struct fakeip_entry, lru) : NULL;

	return e && now_ms - e->last_ms >= keep_ms ? e : NULL;
}

/* An index that is nobody's. Indices are never given back but to be given
 * away at once, so that 0..count-1 are taken. 0 or -ENOSPC. */
static int free_index(struct fakeip *f, uint64_t now_ms, uint32_t *index)
{
	struct fakeip_entry *e;

	if (f->count < f->max) {
		*index = f->count;
		return 0;
	}
	e = expired(&f->answered, now_ms, FAKEIP_ANSWERED_MS);
	if (!e)
		e = expired(&f->used, now_ms, FAKEIP_USED_MS);
	if (!e)
		return -ENOSPC;
	*index = e->index;
	drop(f, e);
	return 0;
}

static bool make_page(struct fakeip *f, uint32_t index)
{
	struct fakeip_entry ***page = &f->pages[index / FAKEIP_PAGE];

	if (!*page)
		*page = calloc(FAKEIP_PAGE, sizeof(**page));
	return *page;
}

static int entry_new(struct fakeip *f, const char *name, size_t len, uint64_t now_ms, struct fakeip_entry **out)
{
	struct fakeip_entry *e = calloc(1, sizeof(*e) + len + 1);
	uint32_t index;
	int ret;

	if (!e)
		return -ENOMEM;
	if (f->count < f->max && !make_page(f, f->count)) {
		free(e);
		return -ENOMEM;
	}
	ret = free_index(f, now_ms, &index);
	if (ret < 0) {
		free(e);
		return ret;
	}
	e->index = index;
	e->last_ms = now_ms;
	e->len = (uint8_t)len;
	memcpy(e->name, name, len);
	hash_insert(&f->names, &e->node, hash_bytes(name, len));
	list_append(&f->answered, &e->lru);
	f->pages[index / FAKEIP_PAGE][index % FAKEIP_PAGE] = e;
	f->count++;
	*out = e;
	return 0;
}

static void renew(struct fakeip *f, struct fakeip_entry *e, uint64_t now_ms)
{
	e->last_ms = now_ms;
	list_move_last(e->used ? &f->used : &f->answered, &e->lru);
}

int fakeip_assign(struct fakeip *f, const char *name, size_t len, uint64_t now_ms, struct fakeip_entry **out)
{
	struct fakeip_entry *e = fakeip_find_name(f, name, len);

	if (!e)
		return entry_new(f, name, len, now_ms, out);
	renew(f, e, now_ms);
	*out = e;
	return 0;
}

void fakeip_touch(struct fakeip *f, struct fakeip_entry *e, uint64_t now_ms)
{
	if (e->used && now_ms - e->last_ms < TOUCH_MS)
		return;
	e->used = true;
	renew(f, e, now_ms);
}

void fakeip_free(struct fakeip *f)
{
	list_for_each_safe(it, &f->answered)
		drop(f, container_of(it, struct fakeip_entry, lru));
	list_for_each_safe(jt, &f->used)
		drop(f, container_of(jt, struct fakeip_entry, lru));
	for (size_t i = 0; i < sizeof(f->pages) / sizeof(f->pages[0]); i++)
		free(f->pages[i]);
	hash_free(&f->names);
	memset(f->pages, 0, sizeof(f->pages));
}
