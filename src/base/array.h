/*
 * Arrays that grow: for lists that nobody knows the length of beforehand. The
 * owner keeps the pointer and the count, and frees; nothing shrinks.
 */
#ifndef GATUN_BASE_ARRAY_H
#define GATUN_BASE_ARRAY_H

#include <stddef.h>
#include <stdint.h>

/* Makes room for at least `want` items of `size` bytes, by doubling: *items_at (the array's
 * pointer; NULL with *room 0 is an empty one) and *room are as before where it fails.
 * 0 or -ENOMEM. What is new in it is not zeroed. */
int array_reserve(void *items_at, uint32_t *room, size_t want, size_t size);

/* The array with a place for one item behind the n that it has, to be stored where the old
 * pointer stood; exactly that long, for lists as short as a config's. Dies without memory:
 * only cli/ and conf/ may call it. */
void *array_grow_or_die(void *items, int n, size_t size);

#endif
