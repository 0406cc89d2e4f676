/* The report of `gatun doctor`: what is bad finds a place in it, and decides, however much else was said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "doctor/doctor.h"

static void what_is_bad_finds_a_place(void **state)
{
	static struct doctor_report r;

	(void)state;
	for (int i = 0; i < 2 * DOCTOR_FINDINGS; i++)
		doctor_say(&r, i % 2 ? DOCTOR_OK : DOCTOR_NOTE, 0, NULL, "server %d answers", i);
	assert_int_equal(r.n, DOCTOR_FINDINGS);
	assert_false(doctor_stops(&r, DOCTOR_OF_UP));
	doctor_say(&r, DOCTOR_BAD, DOCTOR_OF_UP, "mend it", "the clock is wrong");
	assert_int_equal(r.n, DOCTOR_FINDINGS);
	assert_true(doctor_stops(&r, DOCTOR_OF_UP));
	assert_string_equal(r.items[0].text, "server 0 answers");
}

static void the_first_bad_ones_stay(void **state)
{
	static struct doctor_report r;

	(void)state;
	for (int i = 0; i < DOCTOR_FINDINGS; i++)
		doctor_say(&r, DOCTOR_BAD, DOCTOR_OF_RUN, NULL, "bad %d", i);
	doctor_say(&r, DOCTOR_BAD, DOCTOR_OF_UP, NULL, "one more");
	doctor_say(&r, DOCTOR_NOTE, 0, NULL, "and a note");
	assert_int_equal(r.n, DOCTOR_FINDINGS);
	assert_string_equal(r.items[DOCTOR_FINDINGS - 1].text, "bad 63");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_bad_finds_a_place),
		cmocka_unit_test(the_first_bad_ones_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
