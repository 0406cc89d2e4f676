/* Proxies on the way to a server: as URLs, as an array, inherited, and what is
 * refused without a word of the login; weights, timeouts and the balancer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "conf/load.h"

#define SERVER "\"server\": \"192.0.2.9\", \"server_port\": 9, \"method\": \"aes-256-gcm\", \"password\": \"q3Zp8Lw0VtYx7Bn2KdJ5RgQ\""

/* The first problem's words, or "". */
static const char *load(struct config *c, const char *text, uint32_t command)
{
	static char words[300];
	struct loading l;

	load_begin(&l, c);
	load_text(&l, "t", text, strlen(text));
	load_finish(&l, command);
	snprintf(words, sizeof(words), "%s", l.problems.n ? l.problems.items[0].text : "");
	load_end(&l);
	return words;
}

static void every_kind_of_hop(void **state)
{
	struct config c;
	char text[TARGET_STRLEN];

	(void)state;
	assert_string_equal(load(&c, "{ " SERVER ", \"outbound_proxy\": [ \"socks5://jo%40e:s:e%2fc@[2001:db8::1]:1081\","
				 " \"SOCKS5H://proxy.example\", \"ss://YWVzLTI1Ni1nY206cTNacDhMdzBWdFl4N0JuMktkSjVSZ1E@192.0.2.1:8388#a\" ] }",
				 FOR_LOCAL), "no inbound is given: --socks, --http or --mixed ADDR:PORT, or \"locals\" in the config");
	assert_int_equal(c.servers[0].n_hops, 3);
	assert_int_equal(c.servers[0].hops[0].kind, HOP_SOCKS5);
	assert_string_equal(c.servers[0].hops[0].user, "jo@e");
	assert_string_equal(c.servers[0].hops[0].password, "s:e/c");
	assert_string_equal(target_format(&c.servers[0].hops[0].address, text), "[2001:db8::1]:1081");
	assert_null(c.servers[0].hops[1].user);
	assert_string_equal(target_format(&c.servers[0].hops[1].address, text), "proxy.example:1080");
	assert_int_equal(c.servers[0].hops[2].kind, HOP_SHADOWSOCKS);
	assert_string_equal(c.servers[0].hops[2].server->method->name, "aes-256-gcm");
	assert_string_equal(target_format(&c.servers[0].hops[2].address, text), "192.0.2.1:8388");
	assert_true(config_server_hops_carry_udp(&c.servers[0]));
	config_free(&c);
}

static void an_http_proxy_carries_no_udp(void **state)
{
	struct config c;

	(void)state;
	assert_non_null(strstr(load(&c, "{ " SERVER ", \"outbound_proxy\": \"http://u@h\" }", FOR_RUN), "carries no UDP"));
	assert_int_equal(c.n_servers, 1);
	assert_int_equal(target_port(&c.servers[0].hops[0].address), 80);
	assert_string_equal(c.servers[0].hops[0].password, "");
	assert_false(config_server_hops_carry_udp(&c.servers[0]));
	config_free(&c);
	assert_string_equal(load(&c, "{ " SERVER ", \"mode\": \"tcp_only\", \"outbound_proxy\": \"http://u@h\" }", FOR_RUN), "");
	config_free(&c);
	load(&c, "{ " SERVER ", \"mode\": \"udp_only\", \"outbound_proxy\": \"http://u@h\" }", FOR_RUN);
	assert_int_equal(c.n_servers, 0);
	config_free(&c);
}

static void servers_have_their_own_or_those_of_the_top(void **state)
{
	struct config c;

	(void)state;
	load(&c, "{ \"method\": \"aes-256-gcm\", \"password\": \"q3Zp8Lw0VtYx7Bn2KdJ5RgQ\", \"outbound_proxy\": \"socks5://a\", \"timeout\": 7,"
		 " \"servers\": [ { \"server\": \"192.0.2.1:1\" }, { \"server\": \"192.0.2.1:2\", \"outbound_proxy\": [], \"timeout\": 3 },"
		 " { \"server\": \"192.0.2.1:3\", \"outbound_proxy\": [ \"socks5://b\", \"socks5://c\" ], \"tcp_weight\": 0.25, \"udp_weight\": 0 } ] }", FOR_RUN);
	assert_int_equal(c.n_servers, 3);
	assert_int_equal(c.servers[0].n_hops, 1);
	assert_int_equal(c.servers[1].n_hops, 0);
	assert_int_equal(c.servers[2].n_hops, 2);
	assert_int_equal(c.timeout, 7);
	assert_int_equal(c.servers[0].timeout, 0);
	assert_int_equal(c.servers[1].timeout, 3);
	assert_int_equal(c.servers[0].tcp_weight, 1000);
	assert_int_equal(c.servers[2].tcp_weight, 250);
	assert_int_equal(c.servers[2].udp_weight, 0);
	config_free(&c);
}

static void what_is_no_proxy_is_refused_without_its_login(void **state)
{
	static const char *const urls[] = { "ftp://secret:secret@h", "https://secret@h", "socks5://secret%zz@h", "socks5://:secret@h",
					    "socks5://secret@", "socks5://secret@h:0", "http://secret@[::1", "ss://secret@h:1",
					    "socks5://secret@h:70000", "ss://YWVzLTI1Ni1nY206eA@h:1?plugin=secret", "secret" };

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		struct config c;
		char text[512];
		const char *words;

		snprintf(text, sizeof(text), "{ " SERVER ", \"outbound_proxy\": \"%s\" }", urls[i]);
		words = load(&c, text, FOR_RUN);
		if (c.n_servers != 0 || strncmp(words, "outbound_proxy: ", 16) != 0 || strstr(words, "secret"))
			fail_msg("%s: %s", urls[i], words);
		config_free(&c);
	}
}

static void the_balancer(void **state)
{
	struct config c;

	(void)state;
	assert_string_equal(load(&c, "{ " SERVER " }", FOR_RUN), "");
	assert_int_equal(c.balancer_policy, BALANCER_FAILCOUNT);
	config_free(&c);
	assert_string_equal(load(&c, "{ " SERVER ", \"balancer\": { \"max_server_rtt\": 5 } }", FOR_RUN), "");
	assert_int_equal(c.balancer_policy, BALANCER_LATENCY); /* shadowsocks-rust's file */
	config_free(&c);
	assert_string_equal(load(&c, "{ " SERVER ", \"balancer\": { \"policy\": \"latency\", \"check_interval\": 60,"
		"\"probe_url\": \"http://probe.example:8080/a?b\", \"probe_dns\": \"9.9.9.9\" } }", FOR_RUN), "");
	assert_string_equal(c.probe_host.name, "probe.example");
	assert_int_equal(target_port(&c.probe_host), 8080);
	assert_string_equal(c.probe_path, "/a?b");
	assert_int_equal(target_port(&c.probe_dns), 53);
	assert_int_equal(c.balancer_interval, 60);
	config_free(&c);
	assert_non_null(strstr(load(&c, "{ " SERVER ", \"balancer\": { \"policy\": \"order\", \"probe_url\": \"http://h\" } }", FOR_RUN),
			       "only policy latency probes"));
	assert_string_equal(c.probe_path, "/");
	config_free(&c);
	assert_non_null(strstr(load(&c, "{ " SERVER ", \"balancer\": { \"policy\": \"best\" } }", FOR_RUN), "one of failcount|latency"));
	config_free(&c);
	assert_non_null(strstr(load(&c, "{ " SERVER ", \"balancer\": { \"probe_url\": \"https://h\" } }", FOR_RUN), "wants http://HOST"));
	config_free(&c);
	assert_non_null(strstr(load(&c, "{ " SERVER ", \"balancer\": [] }", FOR_RUN), "wants an object"));
	config_free(&c);
	assert_non_null(strstr(load(&c, "{ \"servers\": [ { " SERVER ", \"tcp_weight\": 1.5 } ] }", FOR_RUN), "wants a number from 0 to 1"));
	config_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_hop),
		cmocka_unit_test(an_http_proxy_carries_no_udp),
		cmocka_unit_test(servers_have_their_own_or_those_of_the_top),
		cmocka_unit_test(what_is_no_proxy_is_refused_without_its_login),
		cmocka_unit_test(the_balancer),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
