/*
 * An intrusive chained hash table, keyed by SipHash-2-4 with a key drawn at
 * start, so that nobody outside can choose collisions. It doubles when full
 * and halves when nearly empty, moving a few buckets per operation, so that no
 * single insertion pauses the loop.
 */
#ifndef GATUN_BASE_HASH_H
#define GATUN_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash {
	struct hash_node **slots, **old_slots; /* old_slots only while resizing */
	size_t mask, old_mask, moved, count;
};

/* SipHash-2-4 of `len` bytes under the process's key. */
uint64_t hash_bytes(const void *data, size_t len);

/* 0 or -ENOMEM. */
int hash_init(struct hash *h);
void hash_free(struct hash *h); /* the nodes are the caller's */

/* Iterates the nodes whose full hash equals `value`: the caller compares keys.
 *   for (n = hash_first(h, v); n; n = hash_next(n, v)) ... */
struct hash_node *hash_first(const struct hash *h, uint64_t value);
struct hash_node *hash_next(const struct hash_node *n, uint64_t value);
/* Ends a resize under way and gives back what a table that was large no longer
 * needs. For slow timers: it moves every node. */
void hash_settle(struct hash *h);
void hash_insert(struct hash *h, struct hash_node *n, uint64_t value);
void hash_remove(struct hash *h, struct hash_node *n);

#endif
