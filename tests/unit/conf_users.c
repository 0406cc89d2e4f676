/* Users of a server and passwords of several keys: as written, as used, and what
 * is said where they cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/load.h"
#include "conf/url.h"
#include "conf_say.h"

#define K0 "AAECAwQFBgcICQoLDA0ODw=="
#define K1 "EBESExQVFhcYGRobHB0eHw=="
#define K2 "ICEiIyQlJicoKSorLC0uLw=="
#define AES "\"method\": \"2022-blake3-aes-128-gcm\""
#define HOST "\"server\": \"192.0.2.1\", \"server_port\": 8388"
#define USERS "\"users\": [ { \"name\": \"alice\", \"password\": \"" K1 "\" }, { \"name\": \"bob\", \"password\": \"" K2 "\" } ]"

static void good(const char *text, uint32_t command, struct config *c)
{
	without_problems(text, command, PROBLEM_ADVICE, c);
}

/* Each problem has `want` in it, and no key. */
static void bad(const char *text, uint32_t command, const char *want)
{
	struct config c;
	char *got = problems_of(text, command, PROBLEM_ADVICE, &c);

	if (!strstr(got, want) || strstr(got, K0) || strstr(got, K1) || strstr(got, K2))
		fail_msg("%s\n--- said:\n%s--- wanted:\n%s", text, got, want);
	free(got);
	config_free(&c);
}

static void check_users(const struct config_server *s)
{
	assert_int_equal(s->n_users, 2);
	assert_string_equal(s->users[0].name, "alice");
	assert_string_equal(s->users[1].name, "bob");
	for (int i = 0; i < 16; i++) {
		assert_int_equal(s->key[i], i);
		assert_int_equal(s->users[0].key[i], 0x10 + i);
		assert_int_equal(s->users[1].key[i], 0x20 + i);
	}
	assert_int_equal(s->n_identities, 0);
}

static void users_are_read_where_they_may_stand(void **state)
{
	struct config c;

	(void)state;
	good("{ \"servers\": [ { " HOST ", " AES ", \"password\": \"" K0 "\", " USERS " } ] }", FOR_SERVER, &c);
	check_users(&c.servers[0]);
	config_free(&c);
	good("{ " HOST ", " AES ", \"password\": \"" K0 "\", " USERS " }", FOR_SERVER, &c);
	check_users(&c.servers[0]);
	config_free(&c);
	/* what a server does not say is as the top level says */
	good("{ " AES ", \"password\": \"" K0 "\", " USERS ", \"servers\": [ { " HOST " }, { \"server\": \"192.0.2.2\","
	     " \"server_port\": 1, \"users\": [ { \"_\": \"a comment\", \"name\": \"eve\", \"password\": \"" K1 "\" } ] } ] }",
	     FOR_SERVER, &c);
	check_users(&c.servers[0]);
	assert_int_equal(c.servers[1].n_users, 1);
	assert_string_equal(c.servers[1].users[0].name, "eve");
	config_free(&c);
	good("{ \"server\": [ \"192.0.2.1\", \"192.0.2.2\" ], \"server_port\": 8388, " AES ", \"password\": \"" K0 "\", " USERS " }",
	     FOR_SERVER, &c);
	check_users(&c.servers[0]);
	check_users(&c.servers[1]);
	config_free(&c);
	good("{ " HOST ", " AES ", \"password\": \"" K0 "\", \"users\": [] }", FOR_SERVER, &c);
	assert_int_equal(c.servers[0].n_users, 0);
	config_free(&c);
	setenv("GATUN_TEST_USER", K1, 1);
	good("{ " HOST ", " AES ", \"password\": \"" K0 "\", \"users\": [ { \"name\": \"a\", \"password\": \"${GATUN_TEST_USER}\" } ] }",
	     FOR_SERVER, &c);
	assert_int_equal(c.servers[0].users[0].key[1], 0x11);
	config_free(&c);
}

#define WITH_USERS(users) "{ " HOST ", " AES ", \"password\": \"" K0 "\", \"users\": " users " }"

static void what_is_wrong_with_users_is_said(void **state)
{
	static const struct { const char *text, *want; } cases[] = {
		{ WITH_USERS("{}"), "\"users\" wants an array of objects, not an object" },
		{ WITH_USERS("[ 7 ]"), "a user is an object, not a number" },
		{ WITH_USERS("[ { \"password\": \"" K1 "\" } ]"), "a user without a name" },
		{ WITH_USERS("[ { \"name\": \"\", \"password\": \"" K1 "\" } ]"), "a user without a name" },
		{ WITH_USERS("[ { \"name\": \"a\" } ]"), "a user without a password" },
		{ WITH_USERS("[ { \"name\": 1, \"password\": \"" K1 "\" } ]"), "wants a string, not 1" },
		{ WITH_USERS("[ { \"name\": \"a\", \"password\": \"AAAA\" } ]"), "password of user \"a\": 2022-blake3-aes-128-gcm wants base64 of 16" },
		{ WITH_USERS("[ { \"name\": \"a\", \"password\": \"" K1 ":" K2 "\" } ]"), "wants one key here" },
		{ WITH_USERS("[ { \"name\": \"a\", \"password\": \"" K1 "\" }, { \"name\": \"a\", \"password\": \"" K2 "\" } ]"), "two users are named \"a\"" },
		{ WITH_USERS("[ { \"name\": \"a\", \"password\": \"" K1 "\" }, { \"name\": \"b\", \"password\": \"" K1 "\" } ]"), "user \"b\" has the same password" },
		{ WITH_USERS("[ { \"name\": \"a\", \"password\": \"" K1 "\", \"quota\": 1 } ]"), "unknown key \"quota\" of a user" },
		{ "{ " HOST ", \"method\": \"aes-256-gcm\", \"password\": \"x\", " USERS " }", "users (SIP023) need 2022-blake3-aes-128-gcm" },
		{ "{ " HOST ", \"method\": \"2022-blake3-chacha20-poly1305\", \"password\": \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\", " USERS " }",
		  "users (SIP023) need 2022-blake3-aes-128-gcm" },
		{ "{ " HOST ", " AES ", \"password\": \"" K0 ":" K1 "\" }", "a server has one key" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		bad(cases[i].text, FOR_SERVER, cases[i].want);
	bad("{ " HOST ", " AES ", \"password\": \"" K0 "\", " USERS " }", FOR_RUN, "\"users\" are for `gatun server`");
}

static void a_password_may_be_several_keys(void **state)
{
	struct config c;

	(void)state;
	good("{ " HOST ", " AES ", \"password\": \"" K0 ":" K1 ":" K2 "\" }", FOR_RUN, &c);
	assert_int_equal(c.servers[0].n_identities, 2);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(c.servers[0].identity_keys[0][i], i);
		assert_int_equal(c.servers[0].identity_keys[1][i], 0x10 + i);
		assert_int_equal(c.servers[0].key[i], 0x20 + i);
	}
	config_free(&c);
#define FOUR K0 ":" K0 ":" K0 ":" K0
	good("{ " HOST ", " AES ", \"password\": \"" FOUR ":" FOUR ":" K1 "\" }", FOR_RUN, &c);
	assert_int_equal(c.servers[0].n_identities, SS_IDENTITY_MAX);
	assert_int_equal(c.servers[0].key[0], 0x10);
	config_free(&c);
	bad("{ " HOST ", " AES ", \"password\": \"" FOUR ":" FOUR ":" FOUR "\" }", FOR_RUN, "more than 9 keys");
	bad("{ " HOST ", " AES ", \"password\": \"" K0 ":\" }", FOR_RUN, "empty");
	bad("{ " HOST ", " AES ", \"password\": \":" K0 "\" }", FOR_RUN, "empty");
	bad("{ " HOST ", " AES ", \"password\": \"" K0 ":AAAA:" K1 "\" }", FOR_RUN, "base64 of 3");
	bad("{ " HOST ", \"method\": \"2022-blake3-chacha20-poly1305\", \"password\": \"" K0 ":" K1 "\" }", FOR_RUN, "no identity headers");
	/* the first generation's passwords are any text */
	good("{ " HOST ", \"method\": \"aes-256-gcm\", \"password\": \"a long one: with colons: 0123456789 abcdefgh\" }", FOR_RUN, &c);
	assert_int_equal(c.servers[0].n_identities, 0);
	config_free(&c);
}

static void urls_carry_several_keys(void **state)
{
	static const char *const urls[] = {
		"ss://2022-blake3-aes-128-gcm:AAECAwQFBgcICQoLDA0ODw%3D%3D%3AEBESExQVFhcYGRobHB0eHw%3D%3D@192.0.2.1:8388",
		"ss://2022-blake3-aes-128-gcm:AAECAwQFBgcICQoLDA0ODw==:EBESExQVFhcYGRobHB0eHw==@192.0.2.1:8388",
	};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct server_spec s = { 0 };
		char err[128] = "", *url;
		struct loading l;
		struct config c;

		load_begin(&l, &c);
		assert_true(load_url(&l, urls[i]));
		assert_true(load_finish(&l, FOR_RUN));
		assert_int_equal(c.servers[0].n_identities, 1);
		assert_int_equal(c.servers[0].identity_keys[0][1], 1);
		assert_int_equal(c.servers[0].key[1], 0x11);
		load_end(&l);
		config_free(&c);
		assert_int_equal(url_parse(urls[i], &s, err, sizeof(err)), 0);
		url = url_format(&s);
		assert_string_equal(url, urls[0]);
		url_free(url);
		spec_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_are_read_where_they_may_stand),
		cmocka_unit_test(what_is_wrong_with_users_is_said),
		cmocka_unit_test(a_password_may_be_several_keys),
		cmocka_unit_test(urls_carry_several_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
