/* Ended SIP022 sessions: what a recorded datagram may not do is remembered for as
 * long as its timestamp could pass, no longer, and within a bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "inbound/ss_graves.h"

static struct ss_graves g;

static int begin(void **state)
{
	(void)state;
	return ss_graves_init(&g);
}

static int end(void **state)
{
	(void)state;
	ss_graves_free(&g);
	return 0;
}

static void test_a_session_is_known_for_its_minute(void **state)
{
	uint64_t last = 0;

	(void)state;
	ss_graves_add(&g, 7, 41, 1000);
	assert_false(ss_graves_find(&g, 8, 1000, &last));
	assert_true(ss_graves_find(&g, 7, 1000 + SS_GRAVE_MS - 1, &last));
	assert_int_equal(last, 41);
	assert_false(ss_graves_find(&g, 7, 1000 + SS_GRAVE_MS, &last));
	assert_int_equal(g.by_id.count, 0);
}

static void test_the_last_word_counts(void **state)
{
	uint64_t last = 0;

	(void)state;
	ss_graves_add(&g, 7, 41, 1000);
	ss_graves_add(&g, 7, 99, 2000);
	assert_int_equal(g.by_id.count, 1);
	assert_true(ss_graves_find(&g, 7, 1000 + SS_GRAVE_MS, &last));
	assert_int_equal(last, 99);
}

static void test_never_shorter_than_asked(void **state)
{
	uint64_t last;

	(void)state;
	ss_graves_add(&g, 1, 1, 5000); /* younger than the one behind it */
	ss_graves_add(&g, 2, 1, 1000);
	assert_true(ss_graves_find(&g, 1, 4999 + SS_GRAVE_MS, &last));
	ss_graves_expire(&g, 5000 + SS_GRAVE_MS);
	assert_int_equal(g.by_id.count, 0);
}

static void test_bounded(void **state)
{
	uint64_t last;

	(void)state;
	for (uint64_t id = 1; id <= SS_GRAVES_MAX + 100; id++)
		ss_graves_add(&g, id, id, 1000);
	assert_int_equal(g.by_id.count, SS_GRAVES_MAX);
	assert_false(ss_graves_find(&g, 100, 1000, &last));
	assert_true(ss_graves_find(&g, 101, 1000, &last));
	assert_true(ss_graves_find(&g, SS_GRAVES_MAX + 100, 1000, &last));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_session_is_known_for_its_minute, begin, end),
		cmocka_unit_test_setup_teardown(test_the_last_word_counts, begin, end),
		cmocka_unit_test_setup_teardown(test_never_shorter_than_asked, begin, end),
		cmocka_unit_test_setup_teardown(test_bounded, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
