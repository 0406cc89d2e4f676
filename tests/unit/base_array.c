/* Arrays that grow: what stood in them stays, and a wish that cannot be met changes nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/array.h"

static void room_is_made_by_doubling(void **state)
{
	int *items = NULL, moves = 0;
	uint32_t room = 0;

	(void)state;
	for (int n = 0; n < 10000; n++) {
		uint32_t before = room;

		assert_int_equal(array_reserve(&items, &room, (size_t)n + 1, sizeof(*items)), 0);
		assert_true(room > (uint32_t)n);
		moves += room != before;
		items[n] = n;
	}
	for (int n = 0; n < 10000; n++)
		assert_int_equal(items[n], n);
	assert_in_range(moves, 2, 14);
	assert_int_equal(array_reserve(&items, &room, 100000, sizeof(*items)), 0);
	assert_true(room >= 100000);
	assert_int_equal(items[9999], 9999);
	free(items);
}

static void what_is_too_much_changes_nothing(void **state)
{
	char *items = NULL, *before;
	uint32_t room = 0;

	(void)state;
	assert_int_equal(array_reserve(&items, &room, 1, 1), 0);
	before = items;
	assert_int_equal(array_reserve(&items, &room, (size_t)UINT32_MAX + 1, 1), -ENOMEM);
	assert_int_equal(array_reserve(&items, &room, 1u << 31, SIZE_MAX / 2), -ENOMEM);
	assert_ptr_equal(items, before);
	assert_int_equal(room, 16);
	free(items);
}

static void one_more_keeps_the_rest(void **state)
{
	long *items = NULL;

	(void)state;
	for (int n = 0; n < 100; n++) {
		items = array_grow_or_die(items, n, sizeof(*items));
		items[n] = n;
	}
	for (int n = 0; n < 100; n++)
		assert_int_equal(items[n], n);
	free(items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(room_is_made_by_doubling),
		cmocka_unit_test(what_is_too_much_changes_nothing),
		cmocka_unit_test(one_more_keeps_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
