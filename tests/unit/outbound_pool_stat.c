/*
 * What is known of a server and the order of several: the failure count's
 * probabilities, the score by hand, who comes last and when he may come back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "outbound/pool_stat.h"

static uint64_t state = 1;

/* xorshift, the same in every run */
static uint32_t seeded(uint32_t bound)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16) % bound;
}

static uint32_t never(uint32_t bound)
{
	return bound - 1;
}

static struct pool_stat stats[4];
static struct pool_candidate candidates[4];
static uint16_t order[4];
static struct pool_choice choice = { .max_rtt_ms = 1000, .now_ms = 100000, .random_below = seeded };

static int set_up(void **s)
{
	(void)s;
	memset(stats, 0, sizeof(stats));
	for (int i = 0; i < 4; i++)
		candidates[i] = (struct pool_candidate){ .stat = &stats[i], .weight = 1000, .hash = (uint64_t)(4 - i) };
	state = 1;
	return 0;
}

static void choose(enum pool_policy policy, int n)
{
	choice.policy = policy;
	pool_order(&choice, candidates, n, order);
}

static void expect_order(int a, int b, int c)
{
	assert_int_equal(order[0], a);
	assert_int_equal(order[1], b);
	assert_int_equal(order[2], c);
}

/* How often of 100,000 the first is asked first. */
static int times_first(uint32_t failures)
{
	int times = 0;

	stats[0].failures = failures;
	for (int i = 0; i < 100000; i++) {
		choose(POOL_FAILCOUNT, 2);
		times += order[0] == 0;
	}
	return times;
}

static void a_server_that_fails_is_asked_with_probability_1_of_n_plus_20(void **s)
{
	(void)s;
	assert_int_equal(times_first(0), 100000);
	assert_in_range(times_first(1), 100000 / 21 - 400, 100000 / 21 + 400);
	assert_in_range(times_first(30), 2000 - 300, 2000 + 300);
}

static void failures_are_capped_and_cleared_by_a_success(void **s)
{
	(void)s;
	for (int i = 0; i < 100; i++)
		pool_stat_failure(&stats[0], 5);
	assert_int_equal(stats[0].failures, POOL_FAILURES_MAX);
	assert_int_equal(stats[0].failed_ms, 5);
	pool_stat_success(&stats[0], 17);
	assert_int_equal(stats[0].failures, 0);
	assert_int_equal(stats[0].rtt_ms, 17);
}

static void all_that_fail_are_still_asked_in_order(void **s)
{
	(void)s;
	for (int i = 0; i < 3; i++)
		stats[i].failures = 3;
	stats[2].failures = 0;
	for (int i = 0; i < 1000; i++) {
		choose(POOL_FAILCOUNT, 3);
		assert_int_equal(order[0] + order[1] + order[2], 3);
	}
	choice.random_below = never;
	choose(POOL_FAILCOUNT, 3);
	expect_order(2, 0, 1);
	choice.random_below = seeded;
}

static void probe(int i, int n, const uint32_t *rtts)
{
	for (int k = 0; k < n; k++)
		pool_stat_probe(&stats[i], rtts[k]);
}

static void close_to(double is, double should_be)
{
	if (is < should_be - 1e-9 || is > should_be + 1e-9)
		fail_msg("%f is not %f", is, should_be);
}

static void the_score_is_median_failures_and_deviation(void **s)
{
	static const uint32_t some[] = { 100, 300, 200, POOL_PROBE_FAILED, 900 };

	(void)s;
	close_to(pool_stat_score(&stats[0], 1000, 1000), -1);
	probe(0, 5, some);
	/* median of 100 200 300 900: 250; deviations 150 50 50 650: 100; one of five failed */
	close_to(pool_stat_score(&stats[0], 1000, 1000), (0.25 + 3 * 0.2 + 0.1) / 5);
	close_to(pool_stat_score(&stats[0], 1000, 500), (0.25 + 3 * 0.2 + 0.1) / 5 * 2);
	/* nothing but failures: as slow as may be, and failing */
	probe(1, 1, &some[3]);
	close_to(pool_stat_score(&stats[1], 1000, 1000), (1 + 3 + 0) / 5.0);
}

static void the_window_forgets(void **s)
{
	uint32_t bad = POOL_PROBE_FAILED, good = 10;

	(void)s;
	probe(0, 1, &bad);
	for (int i = 0; i < POOL_WINDOW - 1; i++)
		probe(0, 1, &good);
	assert_true(pool_stat_score(&stats[0], 1000, 1000) > 0.01 / 5);
	probe(0, 1, &good);
	close_to(pool_stat_score(&stats[0], 1000, 1000), 0.01 / 5);
}

static void the_lowest_score_wins_and_the_favoured_a_tenth_longer(void **s)
{
	uint32_t slow = 100, quick = 95, quicker = 80;

	(void)s;
	probe(0, 1, &slow);
	probe(1, 1, &quick);
	choose(POOL_LATENCY, 3);
	expect_order(1, 0, 2); /* who is not known yet comes last */
	candidates[0].favoured = true;
	choose(POOL_LATENCY, 3);
	expect_order(0, 1, 2);
	probe(2, 1, &quicker);
	choose(POOL_LATENCY, 3);
	expect_order(2, 0, 1);
	pool_stat_failure(&stats[2], 1);
	choose(POOL_LATENCY, 3);
	expect_order(0, 1, 2);
}

static void who_failed_rests_a_while_and_gets_his_place_back(void **s)
{
	(void)s;
	pool_stat_failure(&stats[0], choice.now_ms);
	choose(POOL_ORDER, 3);
	expect_order(1, 2, 0);
	stats[0].failed_ms = choice.now_ms - POOL_REST_MS;
	choose(POOL_ORDER, 3);
	expect_order(0, 1, 2);
}

static void sticky_is_by_hash_and_loses_only_who_failed(void **s)
{
	(void)s;
	choose(POOL_STICKY, 3);
	expect_order(2, 1, 0);
	pool_stat_failure(&stats[1], choice.now_ms);
	choose(POOL_STICKY, 3);
	expect_order(2, 0, 1);
	pool_stat_failure(&stats[2], choice.now_ms);
	choose(POOL_STICKY, 3);
	expect_order(0, 2, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_server_that_fails_is_asked_with_probability_1_of_n_plus_20, set_up),
		cmocka_unit_test_setup(failures_are_capped_and_cleared_by_a_success, set_up),
		cmocka_unit_test_setup(all_that_fail_are_still_asked_in_order, set_up),
		cmocka_unit_test_setup(the_score_is_median_failures_and_deviation, set_up),
		cmocka_unit_test_setup(the_window_forgets, set_up),
		cmocka_unit_test_setup(the_lowest_score_wins_and_the_favoured_a_tenth_longer, set_up),
		cmocka_unit_test_setup(who_failed_rests_a_while_and_gets_his_place_back, set_up),
		cmocka_unit_test_setup(sticky_is_by_hash_and_loses_only_who_failed, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
