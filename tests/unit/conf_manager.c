/* Several ports in one config, and where a server takes orders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf_say.h"

#define LONG "0123456789012345678901234567890123456789"
#define METHOD "\"method\": \"aes-256-gcm\""

static void good(const char *text, struct config *c)
{
	without_problems(text, FOR_SERVER, PROBLEM_WARNING, c);
}

static void bad(const char *text, const char *part)
{
	struct config c;
	char *got = problems_of(text, FOR_SERVER, PROBLEM_WARNING, &c);

	if (!strstr(got, part))
		fail_msg("%s\n--- said:\n%s--- wanted:\n%s", text, got, part);
	free(got);
	config_free(&c);
}

static void is_at(const struct config *c, int i, const char *where)
{
	char text[TARGET_STRLEN];

	assert_true(i < c->n_servers);
	assert_string_equal(target_format(&c->servers[i].address, text), where);
}

static void ports_and_their_passwords(void **state)
{
	struct config c;

	(void)state;
	good("{ \"server\": \"192.0.2.1\", " METHOD ", \"mode\": \"tcp_only\", \"port_password\": { \"8001\": \"" LONG "\", \"8002\": \"x" LONG
	     "\", \"_8003\": 1 } }", &c);
	assert_int_equal(c.n_servers, 2);
	is_at(&c, 0, "192.0.2.1:8001");
	is_at(&c, 1, "192.0.2.1:8002");
	assert_string_equal(c.servers[1].method->name, "aes-256-gcm");
	assert_int_equal(c.servers[1].mode, MODE_TCP_ONLY);
	assert_memory_not_equal(c.servers[0].key, c.servers[1].key, 32);
	config_free(&c);
	/* no address: all of IPv4; beside "server_port" and "servers" */
	good("{ " METHOD ", \"port_password\": { \"8001\": \"" LONG "\" } }", &c);
	assert_int_equal(c.n_servers, 1);
	is_at(&c, 0, "0.0.0.0:8001");
	config_free(&c);
	good("{ \"server\": [\"192.0.2.1\", \"::1\"], \"server_port\": 8388, \"password\": \"" LONG "\", " METHOD
	     ", \"port_password\": { \"8001\": \"" LONG "\" }, \"servers\": [ { \"server\": \"192.0.2.9\", \"server_port\": 1, " METHOD
	     ", \"password\": \"" LONG "\" } ] }", &c);
	assert_int_equal(c.n_servers, 5);
	is_at(&c, 0, "192.0.2.9:1");
	is_at(&c, 1, "192.0.2.1:8001");
	is_at(&c, 2, "[::1]:8001");
	is_at(&c, 3, "192.0.2.1:8388");
	is_at(&c, 4, "[::1]:8388");
	config_free(&c);
}

static void broken_ports_have_a_place(void **state)
{
	(void)state;
	bad("{ " METHOD ",\n\"port_password\": { \"http\": \"" LONG "\" } }", "t:2:20: error: \"port_password\": \"http\" is no port\n");
	bad("{ " METHOD ", \"port_password\": { \"0\": \"" LONG "\" } }", "\"0\" is no port");
	bad("{ " METHOD ",\n\"port_password\": { \"8001\": 5 } }", "t:2:28: error: \"password\" wants a string, not 5\n");
	bad("{ " METHOD ",\n\"port_password\": { \"8001\": \"\" } }", "no password");
	bad("{ " METHOD ",\n\"port_password\": [ 1 ] }", "t:2:18: error: \"port_password\" wants an object of passwords by port, not an array\n");
	bad("{ \"port_password\": { \"8001\": \"" LONG "\" } }", "no method");
	bad("{ \"server\": \"192.0.2.1\", \"server_port\": 8001, \"password\": \"" LONG "\", " METHOD ", \"port_password\": { \"8001\": \"" LONG
	    "\" } }", "two servers listen on 192.0.2.1:8001");
}

static void a_manager_needs_no_server(void **state)
{
	struct config c;
	char where[ADDR_STRLEN];

	(void)state;
	good("{ \"manager_address\": \"127.0.0.1:6001\" }", &c);
	assert_int_equal(c.n_servers, 0);
	assert_string_equal(addr_format(&c.manager.listen, where), "127.0.0.1:6001");
	assert_null(c.manager.path);
	assert_null(c.manager.method);
	assert_int_equal(c.manager.mode, MODE_TCP_AND_UDP);
	assert_int_equal(c.manager.n_hosts, 1);
	assert_string_equal(addr_format(&c.manager.hosts[0], where), "0.0.0.0:0");
	config_free(&c);
	/* shadowsocks-rust's ssmanager; libev's with several hosts */
	good("{ \"server\": \"192.0.2.1\", " METHOD ", \"mode\": \"udp_only\", \"manager_address\": \"localhost\", \"manager_port\": 6100 }", &c);
	assert_int_equal(c.n_servers, 0);
	assert_string_equal(addr_format(&c.manager.listen, where), "127.0.0.1:6100");
	assert_string_equal(addr_format(&c.manager.hosts[0], where), "192.0.2.1:0");
	assert_string_equal(c.manager.method->name, "aes-256-gcm");
	assert_int_equal(c.manager.mode, MODE_UDP_ONLY);
	config_free(&c);
	good("{ \"server\": [\"192.0.2.1\", \"::1\"], " METHOD ", \"manager_address\": \"/run/m.sock\" }", &c);
	assert_string_equal(c.manager.path, "/run/m.sock");
	assert_int_equal(c.manager.n_hosts, 2);
	config_free(&c);
	/* what the first server lends */
	good("{ \"server\": \"192.0.2.1\", " METHOD ", \"mode\": \"tcp_only\", \"server_port\": 1, \"password\": \"" LONG
	     "\", \"manager_address\": \"[::1]:6001\" }", &c);
	assert_int_equal(c.n_servers, 1);
	assert_string_equal(addr_format(&c.manager.hosts[0], where), "192.0.2.1:0");
	assert_string_equal(c.manager.method->name, "aes-256-gcm");
	assert_int_equal(c.manager.mode, MODE_TCP_ONLY);
	config_free(&c);
}

static void a_manager_is_not_for_the_network(void **state)
{
	struct config c;

	(void)state;
	bad("{ \"manager_address\": \"0.0.0.0:6001\" }", "could be reached from other machines");
	bad("{ \"manager_address\": \"[::]:6001\" }", "could be reached from other machines");
	bad("{ \"manager_address\": \"192.0.2.1\", \"manager_port\": 1 }", "could be reached from other machines");
	good("{ \"manager_address\": \"192.0.2.1:6001\", \"manager_allow_remote\": true }", &c);
	config_free(&c);
	bad("{ \"manager_address\": \"127.0.0.1\" }", "the manager wants ADDR:PORT");
	bad("{ \"manager_address\": \"example.org:1\" }", "the manager wants ADDR:PORT");
	bad("{ \"manager_port\": 6001, \"server\": \"192.0.2.1\", \"server_port\": 1, \"password\": \"" LONG "\", " METHOD " }", "has no effect");
	bad("{ \"manager_address\": \"/" LONG LONG LONG "\" }", "too long for a unix socket");
	bad("{ \"manager_address\": \"127.0.0.1:1\", \"server\": \"example.org\" }", "not on \"example.org\"");
	bad("{ \"manager_address\": \"127.0.0.1:1\", \"method\": \"rot13\" }", "unknown method");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_and_their_passwords),
		cmocka_unit_test(broken_ports_have_a_place),
		cmocka_unit_test(a_manager_needs_no_server),
		cmocka_unit_test(a_manager_is_not_for_the_network),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
