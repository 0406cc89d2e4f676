/* Endpoints and targets: parsing, formatting, normalisation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"

static void target_forms(void **state)
{
	struct target t;
	char text[TARGET_STRLEN];

	(void)state;
	assert_int_equal(target_parse("example.org:80", &t), 0);
	assert_true(target_is_name(&t));
	assert_string_equal(t.name, "example.org");
	assert_int_equal(target_port(&t), 80);
	assert_string_equal(target_format(&t, text), "example.org:80");
	assert_int_equal(target_parse("[2001:db8::1]:443", &t), 0);
	assert_false(target_is_name(&t));
	assert_string_equal(target_format(&t, text), "[2001:db8::1]:443");
	assert_int_equal(target_parse("192.0.2.1:65535", &t), 0);
	assert_int_equal(t.ip.family, AF_INET);
}

static void target_errors(void **state)
{
	static const struct {
		const char *text;
		int err;
	} bad[] = {
		{ "example.org", -EINVAL }, { ":80", -EINVAL },	   { "a:0", -ERANGE },	     { "a:70000", -ERANGE },
		{ "a:8x", -EINVAL },	    { "a:-1", -EINVAL },   { "[::1:80", -EINVAL },   { "2001:db8::1:80", -EINVAL },
		{ "a b:1", -EINVAL },	    { "a/b:1", -EINVAL },  { "[::zz]:1", -EINVAL },  { "a:99999999999999999999", -ERANGE },
	};
	char name[TARGET_NAME_MAX + 8];
	struct target t;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (target_parse(bad[i].text, &t) != bad[i].err)
			fail_msg("%s", bad[i].text);
	memset(name, 'a', sizeof(name));
	strcpy(name + TARGET_NAME_MAX, ":1");
	assert_int_equal(target_parse(name, &t), 0);
	name[TARGET_NAME_MAX] = 'a';
	strcpy(name + TARGET_NAME_MAX + 1, ":1");
	assert_int_equal(target_parse(name, &t), -ENAMETOOLONG);
}

static void mapped_is_v4(void **state)
{
	struct addr a, b;
	struct sockaddr_storage ss;

	(void)state;
	assert_int_equal(addr_parse_ip("::ffff:192.0.2.7", 5, &a), 0);
	assert_int_equal(addr_parse_ip("192.0.2.7", 5, &b), 0);
	assert_true(addr_equal(&a, &b));
	addr_to_sockaddr6(&a, &ss);
	assert_int_equal(ss.ss_family, AF_INET6);
	b = addr_from_sockaddr((struct sockaddr *)&ss);
	assert_true(addr_equal(&a, &b));
}

static void names_are_escaped(void **state)
{
	struct target t = { .name_len = 3, .name = "a\nb", .ip.port = 1 };
	char text[TARGET_STRLEN];

	(void)state;
	assert_string_equal(target_format(&t, text), "a\\x0ab:1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(target_forms),
		cmocka_unit_test(target_errors),
		cmocka_unit_test(mapped_is_v4),
		cmocka_unit_test(names_are_escaped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
