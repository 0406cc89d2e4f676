/* "did you mean": distances, and what is too far to be meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <string.h>

#include <cmocka.h>

#include "conf/nearest.h"

static void distances(void **state)
{
	static const struct { const char *a, *b; unsigned n; } d[] = {
		{ "", "", 0 }, { "", "abc", 3 }, { "abc", "", 3 }, { "abc", "abc", 0 }, { "abc", "acb", 1 }, { "abc", "abd", 1 },
		{ "kitten", "sitting", 3 }, { "server_prot", "server_port", 1 }, { "passwrod", "password", 1 }, { "ab", "ba", 1 },
	};
	char long_word[100];

	(void)state;
	for (size_t i = 0; i < sizeof(d) / sizeof(*d); i++) {
		assert_int_equal(nearest_distance(d[i].a, d[i].b), d[i].n);
		assert_int_equal(nearest_distance(d[i].b, d[i].a), d[i].n);
	}
	memset(long_word, 'a', 99);
	long_word[99] = 0;
	assert_int_equal(nearest_distance(long_word, "a"), UINT_MAX);
	long_word[63] = 0;
	assert_int_equal(nearest_distance(long_word, long_word), 0);
}

static void the_nearest_wins_and_the_far_is_not_meant(void **state)
{
	struct nearest near = { .word = "tun_mut" }, far = { .word = "zebra" }, shortish = { .word = "ab" };

	(void)state;
	nearest_offer(&near, "tun_routes");
	nearest_offer(&near, "tun_mtu");
	nearest_offer(&near, "mtu");
	assert_string_equal(near.best, "tun_mtu");
	nearest_offer(&far, "server");
	nearest_offer(&far, "id");
	assert_null(far.best);
	nearest_offer(&shortish, "id");
	assert_null(shortish.best);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances),
		cmocka_unit_test(the_nearest_wins_and_the_far_is_not_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
