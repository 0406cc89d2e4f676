/* sys/library.c: what is there is called, and what is missing is named. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "sys/library.h"

static struct {
	double (*cosine)(double);
	double (*no_such_call)(double);
} math;

/* libm is no library of gatun's own, but every machine has it. */
static void a_call_leads_into_the_library(void **state)
{
	static const struct library_call calls[] = { { "cos", &math.cosine } };
	struct library l = { .soname = "libm.so.6", .calls = calls, .n = 1 };
	char why[256] = "";

	(void)state;
	assert_int_equal(library_need(&l, why, sizeof(why)), 0);
	assert_string_equal(why, "");
	assert_true(math.cosine(0) == 1);
	assert_int_equal(library_need(&l, why, sizeof(why)), 0);
}

static void a_library_that_is_missing_is_named(void **state)
{
	struct library l = { .soname = "libgatun-has-none.so.7" };
	char why[256] = "";

	(void)state;
	assert_int_equal(library_need(&l, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "libgatun-has-none.so.7"));
	assert_int_equal(library_need(&l, NULL, 0), -ENOENT);
}

static void a_call_that_is_missing_is_named(void **state)
{
	static const struct library_call calls[] = { { "cos", &math.cosine }, { "no_such_call", &math.no_such_call } };
	struct library l = { .soname = "libm.so.6", .calls = calls, .n = 2 };
	char why[256] = "";

	(void)state;
	assert_int_equal(library_need(&l, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "no_such_call"));
	assert_false(l.ready);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_leads_into_the_library),
		cmocka_unit_test(a_library_that_is_missing_is_named),
		cmocka_unit_test(a_call_that_is_missing_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
