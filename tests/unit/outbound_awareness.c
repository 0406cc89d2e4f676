/* What is learned about a server that is asked for true connect results: it is
 * never asked when that would cost a connection anything it need not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbound/awareness.h"

#define T 100000u
#define LIMIT 10000u

static struct awareness a;

static int set_up(void **state)
{
	(void)state;
	a = (struct awareness){ 0 };
	return 0;
}

static void a_stranger_is_asked_for_a_short_while(void **state)
{
	(void)state;
	assert_true(awareness_asks(&a, T));
	assert_int_equal(awareness_patience_ms(&a, 0, LIMIT), 300);
	assert_int_equal(awareness_patience_ms(&a, 100, LIMIT), 600);
	assert_int_equal(awareness_patience_ms(&a, 60000, LIMIT), 3300);
}

static void who_answers_is_given_all_the_time(void **state)
{
	(void)state;
	awareness_learn(&a, true, T);
	assert_true(awareness_asks(&a, T + 1));
	assert_int_equal(awareness_patience_ms(&a, 100, LIMIT), LIMIT + 5000);
	awareness_missed(&a, T + 20000); /* it was replaced by one that does not know */
	assert_true(awareness_asks(&a, T + 20000));
	assert_int_equal(awareness_patience_ms(&a, 0, LIMIT), 300);
}

static void data_instead_of_an_answer_is_proof(void **state)
{
	(void)state;
	awareness_learn(&a, false, T);
	assert_false(awareness_asks(&a, T + 599999));
	assert_true(awareness_asks(&a, T + 600000));
}

static void silence_is_no_proof(void **state)
{
	uint64_t now = T;
	uint32_t pause = 60000;

	(void)state;
	awareness_missed(&a, now);
	assert_true(awareness_asks(&a, now));
	for (int i = 0; i < 6; i++) {
		awareness_missed(&a, now);
		awareness_missed(&a, now); /* more that were under way change nothing */
		assert_false(awareness_asks(&a, now + pause - 1));
		now += pause;
		assert_true(awareness_asks(&a, now));
		awareness_missed(&a, now);
		assert_true(awareness_asks(&a, now));
		pause = pause * 2 < 600000 ? pause * 2 : 600000;
	}
	awareness_missed(&a, now);
	assert_false(awareness_asks(&a, now));
	awareness_learn(&a, true, now); /* an answer that came late counts */
	assert_true(awareness_asks(&a, now));
	assert_int_equal(awareness_patience_ms(&a, 0, LIMIT), LIMIT + 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_stranger_is_asked_for_a_short_while, set_up),
		cmocka_unit_test_setup(who_answers_is_given_all_the_time, set_up),
		cmocka_unit_test_setup(data_instead_of_an_answer_is_proof, set_up),
		cmocka_unit_test_setup(silence_is_no_proof, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
