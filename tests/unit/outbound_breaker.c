/* When UDP counts as broken and when as mended, by a virtual clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbound/breaker.h"

#define T 100000u /* the clock's beginning */

static struct breaker b;

static int set_up(void **state)
{
	(void)state;
	breaker_init(&b);
	return 0;
}

/* An application that asks once a second from a socket of its own each time. */
static uint64_t silence(uint64_t from, unsigned seconds, uint64_t tcp_heard)
{
	for (unsigned s = 0; s <= seconds; s++)
		breaker_sent(&b, from + s * 1000, 1, true, tcp_heard);
	return from + seconds * 1000;
}

static void answers_keep_it_closed(void **state)
{
	(void)state;
	for (unsigned s = 0; s < 100; s++) {
		breaker_sent(&b, T + s * 1000, 5, true, T + s * 1000);
		if (s % 3 == 0)
			breaker_answered(&b);
		assert_int_equal(breaker_way(&b, T + s * 1000), WAY_UDP);
	}
}

static void silence_beside_tcp_opens_it(void **state)
{
	(void)state;
	silence(T, 2, T + 500);
	assert_int_equal(breaker_way(&b, T + 2000), WAY_UDP);
	breaker_sent(&b, T + 3000, 1, true, T + 500);
	assert_int_equal(b.state, BREAKER_OPEN);
	assert_int_equal(b.trips, 1);
	assert_int_equal(breaker_way(&b, T + 3000), WAY_TCP);
}

/* What TCP said before UDP fell silent proves nothing about now. */
static void tcp_of_before_is_no_evidence(void **state)
{
	(void)state;
	silence(T, 3, T - 1);
	assert_int_equal(b.state, BREAKER_HALF_OPEN);
	assert_int_equal(breaker_way(&b, T + 3000), WAY_BOTH);
	breaker_undecided(&b, T + 8000);
	assert_int_equal(b.state, BREAKER_CLOSED);
	silence(T + 9000, 3, 0);
	assert_int_equal(b.state, BREAKER_HALF_OPEN);
	breaker_lost(&b, T + 13000);
	assert_int_equal(b.state, BREAKER_OPEN);
	assert_int_equal(b.trips, 1);
}

static void one_association_is_given_longer(void **state)
{
	(void)state;
	for (unsigned s = 0; s < 8; s++) {
		breaker_sent(&b, T + s * 1000, 1, s == 0, T + 500);
		assert_int_equal(b.state, BREAKER_CLOSED);
	}
	breaker_sent(&b, T + 8000, 1, false, T + 500);
	assert_int_equal(b.state, BREAKER_OPEN);
}

static void few_datagrams_prove_nothing(void **state)
{
	(void)state;
	breaker_sent(&b, T, 1, true, T + 1);
	breaker_sent(&b, T + 50000, 1, true, T + 49000);
	breaker_sent(&b, T + 90000, 1, true, T + 89000);
	assert_int_equal(b.state, BREAKER_CLOSED);
}

static void it_tries_again_ever_later_and_returns(void **state)
{
	uint64_t now = silence(T, 3, T + 500), wait = 5000;

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(breaker_way(&b, now + wait - 1), WAY_TCP);
		now += wait;
		assert_int_equal(breaker_way(&b, now), WAY_BOTH);
		assert_int_equal(b.state, BREAKER_HALF_OPEN);
		breaker_lost(&b, now);
		breaker_lost(&b, now); /* of another racer: once is enough */
		wait = wait * 2 < 300000 ? wait * 2 : 300000;
	}
	now += wait;
	assert_int_equal(breaker_way(&b, now), WAY_BOTH);
	breaker_undecided(&b, now); /* nobody answered at all: not later than that */
	assert_int_equal(breaker_way(&b, now + 299999), WAY_TCP);
	now += 300000;
	assert_int_equal(breaker_way(&b, now), WAY_BOTH);
	breaker_answered(&b);
	assert_int_equal(breaker_way(&b, now), WAY_UDP);
	breaker_lost(&b, now); /* a verdict that comes late */
	assert_int_equal(b.state, BREAKER_CLOSED);
	assert_int_equal(b.trips, 1);
	now = silence(now + 1, 3, now + 600); /* and from the shortest wait again */
	assert_int_equal(b.state, BREAKER_OPEN);
	assert_int_equal(breaker_way(&b, now + 5000), WAY_BOTH);
	assert_int_equal(b.trips, 2);
}

static void states_have_words(void **state)
{
	(void)state;
	assert_string_equal(breaker_state_name(BREAKER_CLOSED), "closed");
	assert_string_equal(breaker_state_name(BREAKER_OPEN), "open");
	assert_string_equal(breaker_state_name(BREAKER_HALF_OPEN), "half-open");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(answers_keep_it_closed, set_up),
		cmocka_unit_test_setup(silence_beside_tcp_opens_it, set_up),
		cmocka_unit_test_setup(tcp_of_before_is_no_evidence, set_up),
		cmocka_unit_test_setup(one_association_is_given_longer, set_up),
		cmocka_unit_test_setup(few_datagrams_prove_nothing, set_up),
		cmocka_unit_test_setup(it_tries_again_ever_later_and_returns, set_up),
		cmocka_unit_test(states_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
