/* base/cells.c: cells are zeroed, apart from each other, and leave nothing behind. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cells.h"

#define CELLS 3000

struct held {
	uint8_t *at;
	size_t size;
	uint8_t mark;
};

static bool is_all(const uint8_t *at, size_t size, uint8_t value)
{
	for (size_t i = 0; i < size; i++)
		if (at[i] != value)
			return false;
	return true;
}

static void take(struct held *h, size_t size, uint8_t mark)
{
	h->at = cell_new(size);
	h->size = size;
	h->mark = mark;
	assert_non_null(h->at);
	assert_int_equal((uintptr_t)h->at % 16, 0);
	assert_true(is_all(h->at, size, 0));
	memset(h->at, mark, size);
}

static void give(struct held *h)
{
	assert_true(is_all(h->at, h->size, h->mark));
	cell_free(h->at);
	h->at = NULL;
}

static void trim_all(void)
{
	cells_trim();
	cells_trim();
}

static void every_size_fits(void **state)
{
	static const size_t large[] = { CELL_MAX + 1, 4096, 40000, 1 << 20 };
	struct held h;

	(void)state;
	for (size_t size = 0; size <= CELL_MAX; size++) {
		take(&h, size, 0xa5);
		give(&h);
	}
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
		take(&h, large[i], 0x5a);
		give(&h);
	}
	cell_free(NULL);
	trim_all();
	assert_int_equal(cells_mapped(), 0);
}

/* What one writes into a cell stands in no other, whatever comes and goes. */
static void cells_keep_apart(void **state)
{
	static struct held held[CELLS];
	unsigned random = 1;

	(void)state;
	for (int step = 0; step < 60000; step++) {
		struct held *h;

		random = random * 1103515245u + 12345u;
		h = &held[(random >> 16) % CELLS];
		if (h->at)
			give(h);
		else
			take(h, (random >> 8) % 700 + (random % 50 ? 0 : 1800), (uint8_t)(random >> 20));
		if (step % 10000 == 0)
			cells_trim();
	}
	for (int i = 0; i < CELLS; i++)
		if (held[i].at)
			give(&held[i]);
	trim_all();
	assert_int_equal(cells_mapped(), 0);
}

/* A block that is in use stays; one that was empty at two trims does not. */
static void empty_blocks_go_back(void **state)
{
	struct held held[500], last;
	size_t full, one;

	(void)state;
	for (int i = 0; i < 500; i++)
		take(&held[i], 400, (uint8_t)i);
	full = cells_mapped();
	take(&last, 400, 7);
	for (int i = 0; i < 500; i++)
		give(&held[i]);
	assert_true(cells_mapped() >= full);
	cells_trim();
	assert_true(cells_mapped() >= full);
	cells_trim();
	one = cells_mapped();
	assert_true(full == 0 || one < full / 3);
	give(&last);
	trim_all();
	assert_int_equal(cells_mapped(), 0);
}

/* Flows that come and go for ever need no more than at first. */
static void what_is_given_back_is_used_again(void **state)
{
	struct held held[64];
	size_t first = 0;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		for (int i = 0; i < 64; i++)
			take(&held[i], 100 + (size_t)i % 4 * 300, (uint8_t)round);
		if (!round)
			first = cells_mapped();
		for (int i = 0; i < 64; i++)
			give(&held[(i * 29 + round) % 64]);
	}
	assert_int_equal(cells_mapped(), first);
	trim_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_fits),
		cmocka_unit_test(cells_keep_apart),
		cmocka_unit_test(empty_blocks_go_back),
		cmocka_unit_test(what_is_given_back_is_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
