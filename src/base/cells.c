/*
 * Blocks of BLOCK bytes, each aligned to its size, so that a cell's address tells its block:
 *
 *	head | cell | cell | cell | ... never used yet
 *
 * A block has cells of one size. Cells that were given back wait in the block's own list,
 * the last one first; pages that no cell has come to are not there yet. Of each size there is
 * a list of the blocks that have room: one that has become empty goes last, so that it stays
 * so while others will do.
 *
 * A cell that is larger than CELL_MAX is the only one in a block of a size of its own.
 *
 * It does not know what is in a cell.
 */
#include "base/cells.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/shared.h"

#ifndef __has_feature
#define __has_feature(name) 0 /* gcc says it by a macro */
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define IS_WATCHED true
#else
#define IS_WATCHED false
#endif

#define BLOCK (32u * 1024)
#define STEP 32u /* sizes are multiples of it */
#define SIZES (CELL_MAX / STEP)

struct cell {
	struct cell *next;
};

struct block {
	struct list node; /* among those of its size that have room, or in none */
	struct cell *freed;
	size_t size;	   /* of the block, this head included */
	uint32_t cell;	   /* size of its cells; 0: one that has the block to itself */
	uint32_t used;	   /* cells that are out */
	uint32_t untouched; /* where what was never used begins */
	bool was_empty;	   /* at the last trim */
};
#define HEAD ((uint32_t)(sizeof(struct block) + 31) / 32 * 32)

static struct list with_room[SIZES]; /* by size; next NULL: never used */
static size_t mapped;

/* ---- blocks ---- */

/* Twice the alignment is mapped, and what sticks out is given back. */
static struct block *map_block(size_t size)
{
	size_t rounded = (size + 4095) / 4096 * 4096;
	uint8_t *at = shared_map(rounded + BLOCK, false), *begin;
	struct block *b;

	if (!at)
		return NULL;
	begin = (uint8_t *)(((uintptr_t)at + BLOCK - 1) & ~(uintptr_t)(BLOCK - 1));
	if (begin > at)
		shared_unmap(at, (size_t)(begin - at));
	if (begin < at + BLOCK)
		shared_unmap(begin + rounded, (size_t)(at + BLOCK - begin));
	b = (struct block *)(void *)begin;
	b->size = rounded;
	mapped += rounded;
	return b;
}

static void unmap_block(struct block *b)
{
	mapped -= b->size;
	shared_unmap(b, b->size);
}

static struct block *block_of(void *cell)
{
	return (struct block *)((uintptr_t)cell & ~(uintptr_t)(BLOCK - 1));
}

static bool has_room(const struct block *b)
{
	return b->freed || b->untouched + b->cell <= BLOCK;
}

static struct list *list_of(uint32_t cell)
{
	struct list *l = &with_room[cell / STEP - 1];

	if (!l->next)
		list_init(l);
	return l;
}

static struct block *block_with_room(uint32_t cell)
{
	struct list *l = list_of(cell);
	struct block *b;

	if (!list_empty(l))
		return container_of(l->next, struct block, node);
	b = map_block(BLOCK);
	if (!b)
		return NULL;
	b->cell = cell;
	b->untouched = HEAD;
	list_init(&b->node);
	list_append(l, &b->node);
	return b;
}

/* ---- cells ---- */

static void *take_cell(struct block *b)
{
	struct cell *c = b->freed;

	if (c) {
		b->freed = c->next;
	} else {
		c = (struct cell *)(void *)((uint8_t *)b + b->untouched);
		b->untouched += b->cell;
	}
	b->used++;
	if (!has_room(b))
		list_remove(&b->node);
	return c;
}

static void give_cell(struct block *b, struct cell *c)
{
	bool had_room = has_room(b);

	c->next = b->freed;
	b->freed = c;
	b->used--;
	if (!b->used)
		list_move_last(list_of(b->cell), &b->node);
	else if (!had_room)
		list_prepend(list_of(b->cell), &b->node);
}

static void *large_new(size_t size)
{
	struct block *b = size < SIZE_MAX / 2 ? map_block(HEAD + size) : NULL;

	return b ? (uint8_t *)b + HEAD : NULL;
}

void *cell_new(size_t size)
{
	uint32_t cell = size ? (uint32_t)(size + STEP - 1) / STEP * STEP : STEP;
	struct block *b;

	if (IS_WATCHED)
		return calloc(1, size);
	if (size > CELL_MAX)
		return large_new(size);
	b = block_with_room(cell);
	return b ? memset(take_cell(b), 0, size) : NULL;
}

void cell_free(void *cell)
{
	struct block *b = block_of(cell);

	if (IS_WATCHED)
		free(cell);
	else if (cell && b->cell)
		give_cell(b, cell);
	else if (cell)
		unmap_block(b);
}

/* ---- what stands empty ---- */

static void trim_size(struct list *l)
{
	list_for_each_safe (it, l) {
		struct block *b = container_of(it, struct block, node);

		if (!b->used && b->was_empty) {
			list_remove(&b->node);
			unmap_block(b);
		} else {
			b->was_empty = !b->used;
		}
	}
}

void cells_trim(void)
{
	for (unsigned i = 0; i < SIZES; i++)
		if (with_room[i].next)
			trim_size(&with_room[i]);
}

size_t cells_mapped(void)
{
	return mapped;
}
