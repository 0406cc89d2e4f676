/* Which targets a server refuses unless told to reach its own host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "outbound/guard.h"

static bool local(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(text, 80, &a), 0);
	return guard_is_local(&a);
}

static void refused(void **state)
{
	static const char *const list[] = {
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "169.254.169.254", "224.0.0.1", "239.1.1.1",
		"255.255.255.255", "100.100.100.200", "::", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "fe80::1", "febf::1",
		"ff02::1", "fd00:ec2::254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (!local(list[i]))
			fail_msg("%s must be refused", list[i]);
}

static void passed(void **state)
{
	static const char *const list[] = {
		"1.1.1.1", "10.0.0.1", "192.168.1.1", "126.255.255.255", "128.0.0.1", "169.253.1.1", "223.255.255.255",
		"100.100.100.201", "2001:db8::1", "fd00::1", "fe00::1", "64:ff9b::101:101", "::ffff:8.8.8.8",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (local(list[i]))
			fail_msg("%s must pass", list[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(refused), cmocka_unit_test(passed) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
