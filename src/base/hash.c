/*
 * The hash table of hash.h. While it resizes, a node lives either in the old
 * slots at an index >= moved, or in the new ones; every insertion and removal
 * moves a few old buckets over, lookups search both places.
 */
#include "base/hash.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#define HASH_MIN 16
#define HASH_MOVE 4

uint64_t hash_bytes(const void *data, size_t len)
{
	static uint8_t key[crypto_shorthash_KEYBYTES];
	static bool drawn;
	uint64_t out;

	if (!drawn) {
		randombytes_buf(key, sizeof(key));
		drawn = true;
	}
	crypto_shorthash((uint8_t *)&out, data, len, key);
	return out;
}

int hash_init(struct hash *h)
{
	*h = (struct hash){ .mask = HASH_MIN - 1 };
	h->slots = calloc(HASH_MIN, sizeof(*h->slots));
	return h->slots ? 0 : -ENOMEM;
}

void hash_free(struct hash *h)
{
	free(h->slots);
	free(h->old_slots);
	*h = (struct hash){ 0 };
}

static struct hash_node **slot_of(const struct hash *h, uint64_t value)
{
	if (h->old_slots && (value & h->old_mask) >= h->moved)
		return &h->old_slots[value & h->old_mask];
	return &h->slots[value & h->mask];
}

static void move_some(struct hash *h)
{
	if (!h->old_slots)
		return;
	for (int i = 0; i < HASH_MOVE && h->moved <= h->old_mask; i++) {
		struct hash_node *n = h->old_slots[h->moved], *next;

		for (; n; n = next) {
			struct hash_node **slot = &h->slots[n->hash & h->mask];

			next = n->next;
			n->next = *slot;
			*slot = n;
		}
		h->moved++;
	}
	if (h->moved > h->old_mask) {
		free(h->old_slots);
		h->old_slots = NULL;
	}
}

/* Out of memory is no error here: chains only grow longer. */
static void resize(struct hash *h, size_t slots)
{
	struct hash_node **fresh;

	if (h->old_slots || slots < HASH_MIN)
		return;
	fresh = calloc(slots, sizeof(*fresh));
	if (!fresh)
		return;
	h->old_slots = h->slots;
	h->old_mask = h->mask;
	h->moved = 0;
	h->slots = fresh;
	h->mask = slots - 1;
}

static struct hash_node *match(struct hash_node *n, uint64_t value)
{
	while (n && n->hash != value)
		n = n->next;
	return n;
}

struct hash_node *hash_first(const struct hash *h, uint64_t value)
{
	return match(*slot_of(h, value), value);
}

struct hash_node *hash_next(const struct hash_node *n, uint64_t value)
{
	return match(n->next, value);
}

void hash_insert(struct hash *h, struct hash_node *n, uint64_t value)
{
	struct hash_node **slot;

	if (h->count > h->mask)
		resize(h, 2 * (h->mask + 1));
	move_some(h);
	n->hash = value;
	slot = slot_of(h, value);
	n->next = *slot;
	*slot = n;
	h->count++;
}

void hash_remove(struct hash *h, struct hash_node *n)
{
	for (struct hash_node **at = slot_of(h, n->hash); *at; at = &(*at)->next) {
		if (*at != n)
			continue;
		*at = n->next;
		n->next = NULL;
		h->count--;
		break;
	}
	if (h->count < (h->mask + 1) / 8)
		resize(h, (h->mask + 1) / 2);
	move_some(h);
}

void hash_settle(struct hash *h)
{
	do {
		while (h->old_slots)
			move_some(h);
		if (h->count >= (h->mask + 1) / 8 || h->mask + 1 <= HASH_MIN)
			return;
		resize(h, (h->mask + 1) / 2);
	} while (h->old_slots);
}
