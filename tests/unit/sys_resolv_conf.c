/* The command's resolv.conf: one name server, ours, and the host's way of completing names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sys/resolv_conf.h"

static void expect(const char *old, const char *want)
{
	struct addr gateway;
	char out[512];

	assert_int_equal(addr_parse_ip("192.0.0.1", 0, &gateway), 0);
	size_t len = sys_resolv_conf_make(old, strlen(old), &gateway, out, sizeof(out) - 1);
	out[len] = 0;
	assert_string_equal(out, want);
}

static void replaces_name_servers(void **state)
{
	(void)state;
	expect("nameserver 10.0.0.53\nnameserver 2001:db8::53\n", "nameserver 192.0.0.1\n");
	expect("", "nameserver 192.0.0.1\n");
	expect("\n\n# a comment\n;another\n", "nameserver 192.0.0.1\n");
}

static void keeps_what_completes_names(void **state)
{
	(void)state;
	expect("search a.example b.example\nnameserver 10.0.0.53\noptions ndots:2 edns0\n",
	       "nameserver 192.0.0.1\nsearch a.example b.example\noptions ndots:2 edns0\n");
	expect("domain\texample\nsortlist 10.0.0.0/8", "nameserver 192.0.0.1\ndomain\texample\nsortlist 10.0.0.0/8\n");
	expect("searching x\nsearch\nsearch", "nameserver 192.0.0.1\n");
}

static void keeps_whole_lines_only(void **state)
{
	static const char old[] = "search one.example\nsearch two.example\n";
	struct addr gateway;
	char out[64];

	(void)state;
	addr_parse_ip("192.0.0.1", 0, &gateway);
	for (size_t size = 0; size < sizeof(out); size++) {
		memset(out, '#', sizeof(out));
		size_t len = sys_resolv_conf_make(old, sizeof(old) - 1, &gateway, out, size);
		assert_true(len <= size);
		assert_true(len == 0 || out[len - 1] == '\n');
		for (size_t i = size; i < sizeof(out); i++)
			assert_int_equal(out[i], '#');
	}
}

static void names_an_ipv6_gateway(void **state)
{
	struct addr gateway;
	char out[64];

	(void)state;
	addr_parse_ip("fd00::1", 0, &gateway);
	assert_int_equal(sys_resolv_conf_make(NULL, 0, &gateway, out, sizeof(out)), 19);
	assert_memory_equal(out, "nameserver fd00::1\n", 19);
}

static void tells_the_name_servers(void **state)
{
	static const char text[] = "# nameserver 9.9.9.9\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 # the second\n nameserver 192.0.2.9\n"
				   "nameservers 192.0.2.8\nnameserver fe80::1%eth0\nnameserver\nnameserver not-an-address\n"
				   "search lab\nnameserver 127.0.0.53\r\nnameserver 192.0.2.3";
	struct addr found[5], wanted;

	(void)state;
	assert_int_equal(sys_resolv_conf_servers(text, sizeof(text) - 1, 53, found, 5), 4);
	addr_parse_ip("192.0.2.1", 53, &wanted);
	assert_true(addr_equal(&found[0], &wanted));
	addr_parse_ip("2001:db8::1", 53, &wanted);
	assert_true(addr_equal(&found[1], &wanted));
	addr_parse_ip("127.0.0.53", 53, &wanted);
	assert_true(addr_equal(&found[2], &wanted));
	addr_parse_ip("192.0.2.3", 53, &wanted);
	assert_true(addr_equal(&found[3], &wanted));
	assert_int_equal(sys_resolv_conf_servers(text, sizeof(text) - 1, 53, found, 1), 1);
	for (size_t len = 1; len < sizeof(text); len++) { /* cut anywhere, and nothing behind it is read */
		char *cut = memcpy(malloc(len), text, len);

		sys_resolv_conf_servers(cut, len, 53, found, 5);
		free(cut);
	}
	assert_int_equal(sys_resolv_conf_servers("", 0, 53, found, 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaces_name_servers),
		cmocka_unit_test(keeps_what_completes_names),
		cmocka_unit_test(keeps_whole_lines_only),
		cmocka_unit_test(names_an_ipv6_gateway),
		cmocka_unit_test(tells_the_name_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
