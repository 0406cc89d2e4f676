/* The memory of SIP004's UDP salts: of those that belong to one row, the last four are known for sure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "inbound/ss_salts.h"

static bool take(struct ss_salts *s, uint64_t value)
{
	uint8_t salt[8];

	memcpy(salt, &value, sizeof(salt));
	return ss_salts_take(s, salt, 1);
}

/* Values that differ by the size of the whole table share a row, however it is laid out. */
static uint64_t neighbour(int i)
{
	return 77 + (uint64_t)i * SS_SALTS;
}

static void salts_of_one_row_are_all_known(void **state)
{
	struct ss_salts s = { 0 };

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_true(take(&s, neighbour(i)));
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 4; i++)
			assert_false(take(&s, neighbour(i)));
	ss_salts_free(&s);
}

static void the_one_not_seen_for_longest_makes_room(void **state)
{
	struct ss_salts s = { 0 };

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(take(&s, neighbour(i)));
	for (int i = 1; i < 5; i++)
		assert_false(take(&s, neighbour(i)));
	assert_true(take(&s, neighbour(0)));
	ss_salts_free(&s);
}

static void memory_goes_when_nothing_comes(void **state)
{
	struct ss_salts s = { 0 };

	(void)state;
	take(&s, 1);
	assert_true(ss_salts_keep(&s, 2));
	assert_false(ss_salts_keep(&s, 1000000));
	assert_null(s.recent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(salts_of_one_row_are_all_known),
		cmocka_unit_test(the_one_not_seen_for_longest_makes_room),
		cmocka_unit_test(memory_goes_when_nothing_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
