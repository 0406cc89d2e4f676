/* The bucket by its arithmetic, with time handed in: nothing is lost to rounding,
 * debts are paid back, long silence and changed rates do no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/token_bucket.h"

static void starts_full_and_fills_at_its_rate(void **state)
{
	struct token_bucket b = { 0 };

	(void)state;
	token_bucket_set(&b, 1000, 500, 12345);
	assert_int_equal(token_bucket_level(&b, 12345), 500);
	token_bucket_take(&b, 500);
	assert_int_equal(token_bucket_level(&b, 12345), 0);
	assert_false(token_bucket_full(&b, 12345));
	assert_int_equal(token_bucket_level(&b, 12345 + 100), 100);
	assert_int_equal(token_bucket_level(&b, 12345 + 10000), 500);
	assert_true(token_bucket_full(&b, 12345 + 10000));
}

static void a_slow_rate_asked_often_loses_nothing(void **state)
{
	struct token_bucket b = { 0 };

	(void)state;
	token_bucket_set(&b, 3, 100, 1);
	token_bucket_take(&b, 100);
	for (uint64_t now = 1; now < 10001; now++) /* a 333rd of a token each */
		token_bucket_level(&b, now);
	assert_int_equal(token_bucket_level(&b, 10001), 30);
}

static void a_debt_is_paid_back(void **state)
{
	struct token_bucket b = { 0 };

	(void)state;
	token_bucket_set(&b, 1000, 1000, 0);
	token_bucket_take(&b, 66000);
	assert_int_equal(token_bucket_level(&b, 0), -65000);
	assert_int_equal(token_bucket_level(&b, 64000), -1000);
	assert_int_equal(token_bucket_level(&b, 65500), 500);
}

static void no_rate_is_no_limit(void **state)
{
	struct token_bucket b = { 0 };

	(void)state;
	token_bucket_set(&b, 0, 0, 5);
	token_bucket_take(&b, UINT32_MAX);
	assert_true(token_bucket_level(&b, 5) > INT64_C(1) << 40);
	assert_true(token_bucket_full(&b, 5));
}

static void another_rate_keeps_what_was_drawn(void **state)
{
	struct token_bucket b = { 0 };

	(void)state;
	token_bucket_set(&b, 1000, 1000, 0);
	token_bucket_take(&b, 900);
	token_bucket_set(&b, 100, 1000, 0);
	assert_int_equal(token_bucket_level(&b, 0), 100);
	assert_int_equal(token_bucket_level(&b, 1000), 200);
	token_bucket_set(&b, 0, 0, 1000);
	assert_true(token_bucket_full(&b, 1000));
	token_bucket_set(&b, 50, 200, 1000);
	assert_int_equal(token_bucket_level(&b, 1000), 200);
}

static void the_largest_rate_and_the_longest_silence_do_not_overflow(void **state)
{
	struct token_bucket b = { 0 };
	uint64_t depth = (uint64_t)UINT32_MAX * 5;

	(void)state;
	token_bucket_set(&b, UINT32_MAX, depth, 0);
	token_bucket_take(&b, depth);
	assert_int_equal(token_bucket_level(&b, 1000), UINT32_MAX);
	assert_int_equal(token_bucket_level(&b, UINT64_MAX / 2), (int64_t)depth);
	assert_int_equal(token_bucket_level(&b, 7), (int64_t)depth); /* a clock that goes back adds nothing */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_full_and_fills_at_its_rate),
		cmocka_unit_test(a_slow_rate_asked_often_loses_nothing),
		cmocka_unit_test(a_debt_is_paid_back),
		cmocka_unit_test(no_rate_is_no_limit),
		cmocka_unit_test(another_rate_keeps_what_was_drawn),
		cmocka_unit_test(the_largest_rate_and_the_longest_silence_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
