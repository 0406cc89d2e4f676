/* The hash table against a plain array, while it grows and shrinks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/list.h"

#define ITEMS 5000

struct item {
	struct hash_node node;
	unsigned key;
	bool in;
};

static struct item items[ITEMS];

static uint64_t value_of(unsigned key)
{
	return hash_bytes(&key, sizeof(key));
}

static struct item *find(struct hash *h, unsigned key)
{
	uint64_t v = value_of(key);

	for (struct hash_node *n = hash_first(h, v); n; n = hash_next(n, v)) {
		struct item *it = container_of(n, struct item, node);
		if (it->key == key)
			return it;
	}
	return NULL;
}

static void agrees_with_a_model(void **state)
{
	struct hash h;
	size_t count = 0;

	(void)state;
	srand(7);
	assert_int_equal(hash_init(&h), 0);
	for (unsigned step = 0; step < 60000; step++) {
		unsigned key = (unsigned)rand() % ITEMS;
		bool insert = (unsigned)rand() % 100 < (step < 30000 ? 80u : 10u);
		struct item *it = &items[key];

		it->key = key;
		assert_ptr_equal(find(&h, key), it->in ? it : NULL);
		if (insert && !it->in) {
			hash_insert(&h, &it->node, value_of(key));
			it->in = true;
			count++;
		} else if (!insert && it->in) {
			hash_remove(&h, &it->node);
			it->in = false;
			count--;
		}
		assert_int_equal(h.count, count);
		if (step % 10000 == 9999)
			hash_settle(&h);
	}
	for (unsigned key = 0; key < ITEMS; key++) {
		assert_ptr_equal(find(&h, key), items[key].in ? &items[key] : NULL);
		if (items[key].in && key > 3)
			hash_remove(&h, &items[key].node);
	}
	hash_settle(&h);
	assert_null(h.old_slots);
	assert_int_equal(h.mask, 15); /* as small as it began */
	hash_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(agrees_with_a_model) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
