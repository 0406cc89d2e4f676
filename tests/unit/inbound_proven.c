/* Addresses that have proven themselves: the host counts and not its port, for an hour,
 * among more of them than the table has places, and for another process too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "inbound/amplification.h"

static struct addr host(const char *ip, uint16_t port)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(ip, port, &a), 0);
	return a;
}

static void a_proof_is_of_the_host_and_lasts_an_hour(void **state)
{
	struct proven *p = proven_new(false);
	struct addr a = host("192.0.2.1", 1000), same = host("192.0.2.1", 2000), other = host("192.0.2.2", 1000);
	struct addr six = host("2001:db8::1", 1), neighbour = host("2001:db8::2", 1);
	uint64_t then = 5000000000;

	(void)state;
	assert_false(proven_is(p, &a, then));
	proven_note(p, &a, then);
	proven_note(p, &six, then);
	assert_true(proven_is(p, &same, then));
	assert_false(proven_is(p, &other, then));
	assert_true(proven_is(p, &six, then));
	assert_false(proven_is(p, &neighbour, then));
	assert_true(proven_is(p, &a, then + PROVEN_S * 1000));
	assert_false(proven_is(p, &a, then + PROVEN_S * 1000 + 2000));
	proven_note(p, &a, then + 3000000);
	assert_true(proven_is(p, &a, then + 3000000 + PROVEN_S * 1000));
	proven_free(p);
}

static void a_full_table_forgets_the_oldest(void **state)
{
	struct proven *p = proven_new(false);
	struct addr a = host("10.0.0.0", 1);
	uint64_t now = 1000000;
	int known = 0;

	(void)state;
	for (uint32_t i = 0; i < 200000; i++, now += 10) {
		memcpy(a.ip.bytes + 1, &i, 3);
		proven_note(p, &a, now);
	}
	for (uint32_t i = 0; i < 200000; i++) {
		memcpy(a.ip.bytes + 1, &i, 3);
		known += proven_is(p, &a, now);
		if (i >= 199000)
			assert_true(proven_is(p, &a, now)); /* the last ones are there */
	}
	assert_in_range(known, 60000, 65536);
	proven_free(p);
}

static void another_process_sees_it(void **state)
{
	struct proven *p = proven_new(true);
	struct addr a = host("192.0.2.1", 1000);
	int status;
	pid_t child = fork();

	(void)state;
	if (!child) {
		proven_note(p, &a, 1000);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(proven_is(p, &a, 2000));
	proven_free(p);
}

static void what_goes_back_is_bounded_by_what_came(void **state)
{
	struct proven *p = proven_new(false);
	struct amplification guard = { .factor = 10, .proven = p };
	struct amplification_credit c = { 0 };
	struct addr v4 = host("192.0.2.1", 1000), v6 = host("2001:db8::1", 1000);

	(void)state;
	assert_false(amplification_allows(&guard, &c, &v4, 1, 1, 0)); /* nothing to begin with */
	amplification_earn(&guard, &c, &v4, 72);		      /* 100 on the wire */
	assert_true(amplification_allows(&guard, &c, &v4, 444, 2, 0));
	assert_false(amplification_allows(&guard, &c, &v4, 473, 1, 0));
	assert_true(amplification_allows(&guard, &c, &v4, 472, 1, 0));
	assert_int_equal(c.bytes, 0);
	amplification_earn(&guard, &c, &v6, 52);
	assert_int_equal(c.bytes, 1000);
	assert_false(amplification_allows(&guard, &c, &v6, 953, 1, 0));
	proven_note(p, &v4, 0);
	assert_true(amplification_allows(&guard, &c, &v4, 1000000, 1, 10));
	assert_true(amplification_allows(&guard, &c, &v4, 1000000, 1, 10 + AMPLIFICATION_LOOK_MS - 1));
	assert_false(amplification_allows(&guard, &c, &v4, 1000000, 1, 2 * PROVEN_S * 1000));
	proven_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_proof_is_of_the_host_and_lasts_an_hour),
		cmocka_unit_test(a_full_table_forgets_the_oldest),
		cmocka_unit_test(another_process_sees_it),
		cmocka_unit_test(what_goes_back_is_bounded_by_what_came),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
