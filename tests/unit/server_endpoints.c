/*
 * The server's endpoints under one config after another: who may come, under which
 * key, on which sockets. Real listeners, on loopback addresses of this process's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf_say.h"

#include "base/log.h"
#include "engine/common.h"
#include "engine/worker_shared.h"
#include "flow/relay.h"
#include "inbound/proven.h"
#include "loop/loop.h"
#include "outbound/direct.h"
#include "server/egress.h"
#include "server/endpoints.h"
#include "server/salts.h"

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAA=="
#define KEY_B "AQEBAQEBAQEBAQEBAQEBAQ=="
#define KEY_C "AgICAgICAgICAgICAgICAg=="
#define KEY_LONG "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="

static struct endpoints_options options;
static struct endpoints *endpoints;
static struct config *current;
static char host[32];

/* ---- configs ---- */

/* Written with HOST for the address of this test. */
static struct config *config_of(const char *servers)
{
	struct config *c = calloc(1, sizeof(*c));
	char text[4096] = "{ \"servers\": [ ", *at = text + strlen(text);

	for (const char *from = servers; *from;) {
		if (strncmp(from, "HOST", 4) == 0) {
			at += sprintf(at, "\"server\": \"%s\"", host);
			from += 4;
		} else {
			*at++ = *from++;
		}
	}
	strcpy(at, " ] }");
	without_problems(text, FOR_SERVER, PROBLEM_ERROR, c);
	return c;
}

static void forget(struct config *c)
{
	if (c)
		config_free(c);
	free(c);
}

static int update(const char *servers)
{
	struct config *fresh = config_of(servers);
	int err = egresses_prepare(options.egresses, fresh);

	if (!err)
		err = endpoints_prepare(endpoints, fresh);
	if (err) {
		egresses_withdraw(options.egresses);
		forget(fresh);
		return err;
	}
	endpoints_apply(endpoints);
	egresses_apply(options.egresses, fresh);
	forget(current);
	current = fresh;
	loop_turn();
	return 0;
}

static int begin(void **state)
{
	static struct config none;
	struct direct_options direct = { 0 };

	(void)state;
	config_init(&none);
	log_setup(LOG_LEVEL_ERROR, false, open("/dev/null", O_WRONLY | O_CLOEXEC));
	snprintf(host, sizeof(host), "127.%d.%d.9", 64 + (getpid() >> 8 & 63), getpid() & 255);
	assert_int_equal(engine_start(&none), 0);
	options = (struct endpoints_options){ .config = &none };
	options.egresses = egresses_new(&none);
	options.relay_out = direct_new(&direct);
	options.salts = worker_salts_new(false);
	options.old_salts = server_salts_open(NULL);
	options.proven = proven_new(false);
	endpoints = endpoints_new(&options);
	assert_non_null(endpoints);
	return 0;
}

static int end(void **state)
{
	(void)state;
	relay_free();
	egresses_close(options.egresses);
	endpoints_free(endpoints);
	engine_drain();
	egresses_free(options.egresses);
	options.relay_out->ops->free(options.relay_out);
	salt_store_free(options.salts);
	server_salts_close(options.old_salts);
	proven_free(options.proven);
	engine_end();
	forget(current);
	current = NULL;
	return 0;
}

/* ---- what there is ---- */

static struct endpoint_view view(int i)
{
	struct endpoint_view v;

	assert_true(i < endpoints_count(endpoints));
	endpoints_view(endpoints, i, &v);
	return v;
}

/* Has the i-th this user, under the key that is n 16 times? */
static bool has_user(int i, const char *name, uint8_t n)
{
	struct endpoint_view v = view(i);
	const struct ss_user *u = ss_users_find_name(v.users, name);
	uint8_t key[16];

	memset(key, n, sizeof(key));
	return u && memcmp(u->key, key, sizeof(key)) == 0;
}

static bool is_open(int type, uint16_t port)
{
	struct addr at;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), err;

	assert_int_equal(addr_parse_ip(host, port, &at), 0);
	len = addr_to_sockaddr(&at, &ss);
	err = bind(fd, (struct sockaddr *)&ss, len) < 0 ? errno : 0;
	close(fd);
	return err == EADDRINUSE;
}

#define AES(port, key, more) "{ HOST, \"server_port\": " #port ", \"method\": \"2022-blake3-aes-128-gcm\", \"password\": \"" key "\"" more " }"
#define OLD(port, password, more) "{ HOST, \"server_port\": " #port ", \"method\": \"aes-256-gcm\", \"password\": \"" password "\"" more " }"
#define USERS(list) ", \"users\": [ " list " ]"
#define USER(name, key) "{ \"name\": \"" name "\", \"password\": \"" key "\" }"

/* ---- tests ---- */

static void users_come_and_go(void **state)
{
	struct ss_user *alice;

	(void)state;
	assert_int_equal(update(AES(8388, KEY_A, USERS(USER("alice", KEY_A) "," USER("bob", KEY_B)))), 0);
	assert_int_equal(ss_users_count(view(0).users), 2);
	alice = ss_users_find_name(view(0).users, "alice");
	alice->counters.tcp_up = 7;
	assert_int_equal(update(AES(8388, KEY_A, USERS(USER("carol", KEY_C) "," USER("alice", KEY_A)))), 0);
	assert_int_equal(ss_users_count(view(0).users), 2);
	assert_true(has_user(0, "alice", 0) && has_user(0, "carol", 2));
	assert_null(ss_users_find_name(view(0).users, "bob"));
	assert_ptr_equal(ss_users_find_name(view(0).users, "alice"), alice);
	assert_int_equal(alice->counters.tcp_up, 7);
}

/* Nobody can have his key first: the other has it. */
static void keys_go_round(void **state)
{
	(void)state;
	assert_int_equal(update(AES(8388, KEY_A, USERS(USER("alice", KEY_A) "," USER("bob", KEY_B) "," USER("carol", KEY_C)))), 0);
	assert_int_equal(update(AES(8388, KEY_A, USERS(USER("alice", KEY_B) "," USER("bob", KEY_C) "," USER("carol", KEY_A)))), 0);
	assert_int_equal(ss_users_count(view(0).users), 3);
	assert_true(has_user(0, "alice", 1) && has_user(0, "bob", 2) && has_user(0, "carol", 0));
	/* and one takes what another leaves free */
	assert_int_equal(update(AES(8388, KEY_A, USERS(USER("alice", KEY_C)))), 0);
	assert_int_equal(ss_users_count(view(0).users), 1);
	assert_true(has_user(0, "alice", 2));
}

static void users_and_everybody(void **state)
{
	struct ss_user_counters sum;

	(void)state;
	assert_int_equal(update(AES(8388, KEY_A, "")), 0);
	assert_non_null(ss_users_anyone(view(0).users));
	ss_users_anyone(view(0).users)->counters.tcp_up = 5;
	assert_int_equal(update(AES(8388, KEY_A, USERS(USER("alice", KEY_B)))), 0);
	assert_null(ss_users_anyone(view(0).users));
	assert_true(has_user(0, "alice", 1));
	ss_users_total(view(0).users, &sum);
	assert_int_equal(sum.tcp_up, 5); /* the port's number never falls */
	assert_int_equal(update(OLD(8388, "secret", "")), 0);
	assert_non_null(ss_users_anyone(view(0).users));
	assert_string_equal(view(0).method->name, "aes-256-gcm");
	assert_int_equal(update("{ HOST, \"server_port\": 8388, \"method\": \"2022-blake3-aes-256-gcm\", \"password\": \"" KEY_LONG "\"" USERS(
				 USER("alice", KEY_LONG)) " }"),
			 0);
	assert_int_equal(update(AES(8388, KEY_A, USERS(USER("alice", KEY_B)))), 0);
	assert_true(has_user(0, "alice", 1));
	assert_int_equal(endpoints_count(endpoints), 1);
}

static void modes_open_and_close_sockets(void **state)
{
	(void)state;
	assert_int_equal(update(OLD(8388, "x", ", \"mode\": \"tcp_only\"")), 0);
	assert_true(is_open(SOCK_STREAM, 8388) && !is_open(SOCK_DGRAM, 8388));
	assert_int_equal(update(AES(8388, KEY_A, USERS(USER("alice", KEY_B)))), 0);
	assert_true(is_open(SOCK_STREAM, 8388) && is_open(SOCK_DGRAM, 8388));
	assert_int_equal(update(OLD(8388, "x", ", \"mode\": \"udp_only\"")), 0);
	assert_true(!is_open(SOCK_STREAM, 8388) && is_open(SOCK_DGRAM, 8388));
	/* two that share the address */
	assert_int_equal(update(OLD(8388, "x", ", \"mode\": \"udp_only\"") "," OLD(8388, "y", ", \"mode\": \"tcp_only\"")), 0);
	assert_int_equal(endpoints_count(endpoints), 2);
	assert_true(is_open(SOCK_STREAM, 8388) && is_open(SOCK_DGRAM, 8388));
	assert_int_equal(update(OLD(8388, "z", ", \"mode\": \"tcp_only\"") "," OLD(8388, "x", ", \"mode\": \"udp_only\"")), 0);
	assert_int_equal(endpoints_count(endpoints), 2);
	assert_int_equal(view(0).mode, MODE_UDP_ONLY);
	assert_int_equal(update(OLD(8389, "x", "")), 0);
	assert_true(!is_open(SOCK_STREAM, 8388) && !is_open(SOCK_DGRAM, 8388) && is_open(SOCK_STREAM, 8389));
}

static void what_cannot_be_had_changes_nothing(void **state)
{
	struct addr at;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(addr_parse_ip(host, 8395, &at), 0);
	len = addr_to_sockaddr(&at, &ss);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(update(AES(8388, KEY_A, ", \"mode\": \"tcp_only\"" USERS(USER("alice", KEY_A))) "," OLD(8395, "x", ", \"mode\": \"tcp_only\"")), 0);
	/* a new port, a mode that grows, users: and one socket that another has */
	assert_int_equal(update(AES(8388, KEY_A, USERS(USER("bob", KEY_B))) "," OLD(8394, "x", "") "," OLD(8395, "x", "")), -EADDRINUSE);
	assert_int_equal(endpoints_count(endpoints), 2);
	assert_true(has_user(0, "alice", 0));
	assert_int_equal(view(0).mode, MODE_TCP_ONLY);
	assert_true(!is_open(SOCK_STREAM, 8394) && !is_open(SOCK_DGRAM, 8394) && !is_open(SOCK_DGRAM, 8388));
	close(fd);
	assert_int_equal(update(AES(8388, KEY_A, USERS(USER("bob", KEY_B))) "," OLD(8394, "x", "") "," OLD(8395, "x", "")), 0);
	assert_int_equal(endpoints_count(endpoints), 3);
	assert_true(has_user(0, "bob", 1));
}

static void the_manager_s_stay(void **state)
{
	struct config *c = config_of(OLD(8390, "x", ""));

	(void)state;
	assert_int_equal(update(OLD(8388, "x", "")), 0);
	assert_int_equal(endpoints_add_managed(endpoints, &c->servers[0]), 0);
	assert_int_equal(endpoints_add_managed(endpoints, &c->servers[0]), -EADDRINUSE);
	assert_int_equal(update(OLD(8389, "x", "")), 0);
	assert_int_equal(endpoints_count(endpoints), 2);
	assert_true(is_open(SOCK_STREAM, 8390) && view(0).managed && !view(1).managed);
	/* until a config names it, from when on it is the config's */
	assert_int_equal(update(OLD(8389, "x", "") "," OLD(8390, "y", "")), 0);
	assert_false(view(0).managed);
	assert_int_equal(update(OLD(8389, "x", "")), 0);
	assert_int_equal(endpoints_count(endpoints), 1);
	assert_int_equal(endpoints_remove_port(endpoints, 8390), 0);
	assert_int_equal(endpoints_remove_port(endpoints, 8389), 1);
	assert_int_equal(endpoints_count(endpoints), 0);
	forget(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(users_come_and_go, begin, end),
		cmocka_unit_test_setup_teardown(keys_go_round, begin, end),
		cmocka_unit_test_setup_teardown(users_and_everybody, begin, end),
		cmocka_unit_test_setup_teardown(modes_open_and_close_sockets, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_had_changes_nothing, begin, end),
		cmocka_unit_test_setup_teardown(the_manager_s_stay, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
