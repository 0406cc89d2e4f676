/*
 * Buffer pools and slice queues.
 *
 * Three free lists (small, medium, large), last in first out, so that the
 * buffer used next is the one still in the cache. `low` remembers how many
 * stayed unused since the last trim: exactly those go back to the system.
 * Buffers of one size are malloc'ed one by one: the large ones are mapped
 * separately by malloc's own threshold rules and return at once when freed.
 * What queues are made of comes from base/cells.h.
 */
#include "io/slice.h"

#include "base/cells.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define CHUNK_SLICES 7

struct pool {
	uint32_t size;
	struct buf *free;
	size_t kept, low;
};

static struct pool pools[] = { { .size = BUF_SMALL }, { .size = BUF_MEDIUM }, { .size = BUF_LARGE } };
static size_t used, kept, budget;

static struct pool *pool_for(uint32_t size)
{
	for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++)
		if (size <= pools[i].size)
			return &pools[i];
	return NULL;
}

static void pool_release(struct buf *b)
{
	struct pool *p = pool_for(b->size);

	used -= p->size;
	kept += p->size;
	p->kept++;
	b->next = p->free;
	p->free = b;
}

/* The header has a cache line of its own; data starts on the next. Aligned by
 * hand: aligned_alloc() leaves splinters between buffers, which malloc keeps
 * for itself and which pin the pages around them when the buffers are gone. */
static struct buf *new_buf(uint32_t size)
{
	uint8_t *block = malloc(64 + 64 + size);
	struct buf *b;

	if (!block)
		return NULL;
	b = (struct buf *)(void *)(((uintptr_t)block + 63) & ~(uintptr_t)63);
	b->data = (uint8_t *)b + 64;
	b->block = block;
	return b;
}

struct buf *buf_get(uint32_t size)
{
	struct pool *p = pool_for(size);
	struct buf *b;

	if (!p || (budget && used + p->size > budget))
		return NULL;
	b = p->free;
	if (b) {
		p->free = b->next;
		p->kept--;
		kept -= p->size;
		if (p->kept < p->low)
			p->low = p->kept;
	} else {
		b = new_buf(p->size);
		if (!b)
			return NULL;
		b->size = p->size;
		b->release = pool_release;
		p->low = 0;
	}
	b->refs = 1;
	b->next = NULL;
	used += p->size;
	return b;
}

size_t buf_pool_used(void)
{
	return used;
}

size_t buf_pool_kept(void)
{
	return kept;
}

void buf_pool_set_budget(size_t bytes)
{
	budget = bytes;
}

void buf_pool_trim(void)
{
	for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
		struct pool *p = &pools[i];

		for (; p->low > 0; p->low--) {
			struct buf *b = p->free;

			p->free = b->next;
			p->kept--;
			kept -= p->size;
			free(b->block);
		}
		p->low = p->kept;
	}
}

/* ---- queues ---- */

struct slice_chunk {
	struct slice_chunk *next;
	uint16_t first, count;
	struct slice slices[CHUNK_SLICES];
};

static bool tail_full(const struct slice_queue *q)
{
	return !q->tail || q->tail->first + q->tail->count == CHUNK_SLICES;
}

/* Chunks for n more slices beyond what the tail holds, linked; NULL with *ok false: no memory. */
static struct slice_chunk *chunks_for(int n, bool *ok)
{
	struct slice_chunk *list = NULL;

	*ok = true;
	for (; n > 0; n -= CHUNK_SLICES) {
		struct slice_chunk *c = cell_new(sizeof(*c));

		if (!c) {
			*ok = false;
			break;
		}
		c->next = list;
		list = c;
	}
	if (*ok)
		return list;
	while (list) {
		struct slice_chunk *next = list->next;
		cell_free(list);
		list = next;
	}
	return NULL;
}

int slice_queue_push(struct slice_queue *q, const struct slice *s, int n)
{
	int room = q->tail ? CHUNK_SLICES - q->tail->first - q->tail->count : 0;
	bool ok;
	struct slice_chunk *fresh = chunks_for(n - room, &ok);

	if (!ok)
		return -ENOMEM;
	for (int i = 0; i < n; i++) {
		if (tail_full(q)) {
			struct slice_chunk *c = fresh;

			fresh = c->next;
			c->next = NULL;
			if (q->tail)
				q->tail->next = c;
			else
				q->head = c;
			q->tail = c;
		}
		q->tail->slices[q->tail->first + q->tail->count++] = slice_ref(s[i]);
		q->bytes += s[i].len;
	}
	return 0;
}

int slice_queue_push_rest(struct slice_queue *q, const struct slice *s, int n, size_t skip)
{
	for (int i = 0; i < n; i++) {
		struct slice part = s[i];
		int err;

		if (skip >= part.len) {
			skip -= part.len;
			continue;
		}
		part.off += (uint32_t)skip;
		part.len -= (uint32_t)skip;
		skip = 0;
		err = slice_queue_push(q, &part, 1);
		if (err < 0)
			return err;
	}
	return 0;
}

static void drop_head_slice(struct slice_queue *q)
{
	struct slice_chunk *c = q->head;

	slice_unref(c->slices[c->first]);
	c->first++;
	if (--c->count)
		return;
	q->head = c->next;
	if (!q->head)
		q->tail = NULL;
	cell_free(c);
}

void slice_queue_drop(struct slice_queue *q, size_t bytes)
{
	q->bytes -= bytes;
	while (q->head) {
		struct slice *s = &q->head->slices[q->head->first];

		if (s->len > bytes) {
			s->off += (uint32_t)bytes;
			s->len -= (uint32_t)bytes;
			return;
		}
		bytes -= s->len;
		drop_head_slice(q);
		if (!bytes)
			return;
	}
}

int slice_queue_peek(const struct slice_queue *q, struct slice *out, int max)
{
	int n = 0;

	for (const struct slice_chunk *c = q->head; c && n < max; c = c->next)
		for (int i = 0; i < c->count && n < max; i++)
			out[n++] = c->slices[c->first + i];
	return n;
}

void slice_queue_clear(struct slice_queue *q)
{
	slice_queue_drop(q, q->bytes);
}
