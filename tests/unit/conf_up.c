/* What `gatun up` is told: prefixes, users, control groups, and what does not go together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/load.h"
#include "conf/prefix.h"

#define SERVER "\"server\": \"192.0.2.1\", \"server_port\": 8388, \"method\": \"aes-256-gcm\", \"password\": \"0123456789012345678901234567890123456789\""

/* What is said of the keys; the config for a look at it. */
static const char *say(const char *keys, uint32_t command, struct config *c)
{
	static char said[4096];
	char text[2048];
	struct loading l;
	FILE *f = fmemopen(said, sizeof(said), "w");

	snprintf(text, sizeof(text), "{ %s }", keys);
	load_begin(&l, c);
	load_text(&l, "t", text, strlen(text));
	load_finish(&l, command);
	problems_print(&l.problems, PROBLEM_WARNING, f);
	fputc(0, f);
	fclose(f);
	load_end(&l);
	return said;
}

static void expect(const char *keys, const char *part)
{
	struct config c;
	const char *said = say(keys, FOR_UP, &c);

	if (*part ? !strstr(said, part) : *said)
		fail_msg("%s\nsaid: %s", keys, said);
	config_free(&c);
}

static void prefixes_are_read(void **state)
{
	static const struct {
		const char *text, *as;
	} rows[] = {
		{ "10.0.0.0/8", "10.0.0.0/8" }, { "192.0.2.7", "192.0.2.7/32" }, { "::/0", "::/0" }, { "FD00::1", "fd00::1/128" },
		{ "0.0.0.0/0", "0.0.0.0/0" },	{ "2001:db8::/33", "2001:db8::/33" },
		{ "", NULL }, { "/8", NULL }, { "10.0.0.0/", NULL }, { "10.0.0.0/33", NULL }, { "::/129", NULL }, { "10.0.0.0/-1", NULL },
		{ "10.0.0.0/8 ", NULL }, { "10.0.0/8", NULL }, { "[::]/0", NULL }, { "10.0.0.0/0008", NULL }, { "name/8", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct config_prefix p;
		char buf[PREFIX_STRLEN];

		assert_int_equal(prefix_parse(rows[i].text, &p) == 0, rows[i].as != NULL);
		if (rows[i].as)
			assert_string_equal(prefix_format(&p, buf), rows[i].as);
	}
}

static struct config_prefix prefix(const char *text)
{
	struct config_prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static void covers_are_found_in_sorted_lists(void **state)
{
	struct config_prefix items[] = { prefix("fd00::/8"), prefix("10.64.0.0/10"), prefix("10.0.0.0/10"), prefix("192.168.0.0/16") };
	struct config_prefixes list = { items, 4 };
	struct config_prefix p;

	(void)state;
	prefixes_sort(&list);
	p = prefix("10.127.255.255/32");
	assert_int_equal(prefixes_find_cover(&list, &p)->at.ip.bytes[1], 64);
	p = prefix("10.0.0.0/10");
	assert_int_equal(prefixes_find_cover(&list, &p)->at.ip.bytes[1], 0);
	p = prefix("fd12::/16");
	assert_non_null(prefixes_find_cover(&list, &p));
	p = prefix("10.0.0.0/9");
	assert_null(prefixes_find_cover(&list, &p));
	p = prefix("0.0.0.0/0");
	assert_null(prefixes_find_cover(&list, &p));
	p = prefix("fe00::/8");
	assert_null(prefixes_find_cover(&list, &p));
}

static void host_bits_are_refused_with_the_right_prefix(void **state)
{
	(void)state;
	expect(SERVER ", \"tun_routes\": \"10.1.2.3/8\"", "10.1.2.3/8 has bits behind its prefix: did you mean 10.0.0.0/8?");
	expect(SERVER ", \"tun_exclude\": [\"fd00::/8\", \"fd00::1/64\"]", "did you mean fd00::/64?");
	expect(SERVER ", \"tun_exclude\": \"10.0.0.0/40\"", "\"tun_exclude\" wants a prefix");
	expect(SERVER ", \"tun_exclude\": [true]", "\"tun_exclude\" wants a prefix");
}

static void overlaps_are_said(void **state)
{
	struct config c;

	(void)state;
	expect(SERVER ", \"tun_routes\": [\"10.1.0.0/16\", \"10.0.0.0/8\"]", "the route 10.1.0.0/16 is inside the route 10.0.0.0/8");
	expect(SERVER ", \"tun_routes\": [\"10.0.0.0/8\", \"10.0.0.0/8\"]", "is inside the route 10.0.0.0/8");
	expect(SERVER ", \"tun_routes\": \"10.1.0.0/16\", \"tun_exclude\": \"10.0.0.0/8\"", "the route 10.1.0.0/16 is inside 10.0.0.0/8, which is excluded");
	expect(SERVER ", \"tun_routes\": \"10.0.0.0/8\", \"tun_exclude\": \"10.1.0.0/16\"", "");
	assert_string_equal(say(SERVER ", \"tun_exclude\": [\"10.1.0.0/16\", \"192.168.0.0/16\", \"10.0.0.0/8\", \"10.2.3.0/24\"]", FOR_UP, &c), "");
	assert_int_equal(c.up.excludes.n, 2);
	config_free(&c);
}

static void users_and_groups_are_read(void **state)
{
	struct config c;

	(void)state;
	assert_string_equal(say(SERVER ", \"uids\": [\"root\", 1000, \"2000-2999\"], \"cgroups\": \"/sys/fs/cgroup/user.slice/x/\"", FOR_UP, &c), "");
	assert_int_equal(c.up.pick, PICK_ONLY);
	assert_int_equal(c.up.n_uids, 3);
	assert_int_equal(c.up.uids[0].to, 0);
	assert_int_equal(c.up.uids[1].from, 1000);
	assert_int_equal(c.up.uids[2].to, 2999);
	assert_string_equal(c.up.cgroups[0], "user.slice/x");
	assert_null(c.up.cgroups[1]);
	config_free(&c);
	expect(SERVER ", \"uids\": \"nobody-of-this-name\"", "\"uids\" wants a user of this machine");
	expect(SERVER ", \"uids\": \"9-3\"", "\"uids\" wants a user");
	expect(SERVER ", \"uids\": 4294967295", "\"uids\" wants a user");
	expect(SERVER ", \"uids\": 1, \"not_uids\": 2", "either only some are taken");
	expect(SERVER ", \"uids\": 1, \"not_cgroups\": \"a\"", "either only some are taken");
	expect(SERVER ", \"cgroups\": \"a/../b\"", "\"cgroups\" wants the path");
	expect(SERVER ", \"cgroups\": \"/\"", "\"cgroups\" wants the path");
	expect(SERVER ", \"lan\": \"a/b\"", "\"lan\" wants the name of a network interface");
	expect(SERVER ", \"lan\": \"a-name-that-is-too-long\"", "\"lan\" wants the name");
	expect(SERVER ", \"lan\": [\"lan0\", \"lo\"]", "--lan lo: no LAN is behind it");
}

static void numbers_that_are_others_are_refused(void **state)
{
	(void)state;
	expect(SERVER ", \"table\": 254", "253 to 255 are the kernel's");
	expect(SERVER ", \"table\": 252", "253 to 255 are the kernel's");
	expect(SERVER ", \"table\": 251", "253 to 255 are the kernel's");
	expect(SERVER ", \"table\": 250", "");
	expect(SERVER ", \"table\": 256", "");
	expect(SERVER ", \"mark\": 4294967292", "\"mark\" wants a number from 1 to 4294967291");
	expect(SERVER ", \"outbound_fwmark\": 7", "give --mark 7");
	expect(SERVER ", \"outbound_fwmark\": 7, \"mark\": 7", "");
}

static void modes_say_what_they_cannot(void **state)
{
	(void)state;
	expect(SERVER ", \"up_mode\": \"redirect\", \"udp_over_tcp\": true", "udp_over_tcp has no effect in mode redirect");
	expect(SERVER ", \"up_mode\": \"redirect\", \"mode\": \"udp_only\"", "mode redirect carries TCP alone");
	expect(SERVER ", \"up_mode\": \"tproxy\", \"tun_mtu\": 1400", "--mtu has no effect in mode tproxy");
	expect(SERVER ", \"up_port\": 4000", "has no effect in mode tun");
	expect(SERVER ", \"up_mode\": \"tap\"", "wants one of tun|tproxy|redirect");
	expect(SERVER ", \"no_ipv6\": true, \"tun_routes\": \"fd00::/8\"", "has no effect: IPv6 is not carried");
}

static void the_tuns_address_keeps_its_host(void **state)
{
	struct config c;

	(void)state;
	assert_string_equal(say(SERVER ", \"locals\": [{ \"protocol\": \"tun\", \"tun_interface_address\": \"10.255.0.1/24\", "
				       "\"tun_interface_name\": \"tun9\", \"kill_switch\": true }]", FOR_UP, &c), "");
	assert_int_equal(c.up.self4.at.ip.bytes[3], 1);
	assert_int_equal(c.up.self4.len, 24);
	assert_int_equal(c.up.self6.at.family, 0);
	assert_string_equal(c.up.device, "tun9");
	assert_true(c.up.kill_switch);
	config_free(&c);
	expect(SERVER ", \"fake_dns_ipv4_network\": \"fd00::/64\"", "wants an IPv4 prefix");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_are_read),
		cmocka_unit_test(covers_are_found_in_sorted_lists),
		cmocka_unit_test(host_bits_are_refused_with_the_right_prefix),
		cmocka_unit_test(overlaps_are_said),
		cmocka_unit_test(users_and_groups_are_read),
		cmocka_unit_test(numbers_that_are_others_are_refused),
		cmocka_unit_test(modes_say_what_they_cannot),
		cmocka_unit_test(the_tuns_address_keeps_its_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
