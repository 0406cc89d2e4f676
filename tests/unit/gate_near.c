/* Which prefixes a link may have, and what lies in what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gate/parts.h"

static struct gate_prefix prefix(const char *ip, uint8_t len)
{
	struct gate_prefix p = { .len = len };

	assert_int_equal(addr_parse_ip(ip, 0, &p.at), 0);
	return p;
}

static struct gate_plan plan;

static bool credible(const char *ip, uint8_t len)
{
	struct gate_prefix p = prefix(ip, len);

	return gate_near_is_credible(&plan, &p);
}

static void a_link_is_not_half_of_the_internet(void **state)
{
	(void)state;
	assert_true(credible("10.0.0.0", 8));
	assert_true(credible("192.168.1.0", 24));
	assert_true(credible("172.16.0.0", 12));
	assert_true(credible("100.64.0.0", 10));
	assert_true(credible("203.0.113.4", 32));
	assert_true(credible("141.20.0.0", 16));
	assert_true(credible("fe80::", 64));
	assert_true(credible("fd00::", 8));
	assert_true(credible("2001:db8:5::", 64));
	assert_true(credible("2001:db8:5::", 48));

	assert_false(credible("0.0.0.0", 1));
	assert_false(credible("128.0.0.0", 1));
	assert_false(credible("8.0.0.0", 6)); /* holds 10/8, and more */
	assert_false(credible("10.0.0.0", 7));
	assert_false(credible("172.16.0.0", 11));
	assert_false(credible("141.20.0.0", 15));
	assert_false(credible("2000::", 3));
	assert_false(credible("2001:db8::", 32));
	assert_false(credible("f000::", 4));
}

static void a_link_has_no_fake_addresses(void **state)
{
	(void)state;
	assert_true(credible("198.18.5.0", 24));
	assert_true(credible("fd12::", 64));
	plan.fakes[0] = prefix("198.18.0.0", 15);
	plan.fakes[1] = prefix("fd12::", 64);
	assert_false(credible("198.18.5.0", 24));
	assert_false(credible("198.18.0.0", 15));
	assert_false(credible("198.16.0.0", 14));
	assert_true(credible("198.20.0.0", 24));
	assert_false(credible("fd12::", 80));
	assert_false(credible("fd00::", 8));
	assert_true(credible("fd13::", 64));
}

static bool holds(const char *ip, uint8_t len, const char *inner)
{
	struct gate_prefix p = prefix(ip, len), a = prefix(inner, 0);

	return gate_prefix_holds(&p, &a.at);
}

static void a_prefix_holds_its_addresses(void **state)
{
	(void)state;
	assert_true(holds("0.0.0.0", 0, "255.1.2.3"));
	assert_true(holds("10.128.0.0", 9, "10.255.0.1"));
	assert_false(holds("10.128.0.0", 9, "10.127.255.255"));
	assert_true(holds("192.0.2.4", 32, "192.0.2.4"));
	assert_false(holds("192.0.2.4", 32, "192.0.2.5"));
	assert_true(holds("2001:db8::", 47, "2001:db8:1::9"));
	assert_false(holds("2001:db8::", 47, "2001:db8:2::9"));
	assert_false(holds("::", 0, "10.0.0.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_is_not_half_of_the_internet),
		cmocka_unit_test(a_link_has_no_fake_addresses),
		cmocka_unit_test(a_prefix_holds_its_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
