/* What a plugin is told, and how a URL names it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/sip003.h"

static void names_end_at_a_bare_semicolon(void **state)
{
	static const struct { const char *text, *name, *options; } cases[] = {
		{ "obfs-local;obfs=http;obfs-host=a.b", "obfs-local", "obfs=http;obfs-host=a.b" },
		{ "v2ray-plugin", "v2ray-plugin", "" },
		{ "p;", "p", "" },
		{ "", "", "" },
		{ ";x", "", "x" },
		{ "a\\;b;host=c\\;d;e\\=f=g\\\\", "a;b", "host=c\\;d;e\\=f=g\\\\" },
		{ "a\\\\;b", "a\\", "b" },
		{ "a\\", "a\\", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char name[64], joined[128], again[64];
		const char *options = sip003_split(cases[i].text, name);

		assert_string_equal(name, cases[i].name);
		assert_string_equal(options, cases[i].options);
		const char *end = sip003_join(name, options, joined);

		assert_ptr_equal(end, joined + strlen(joined));
		assert_string_equal(sip003_split(joined, again), options);
		assert_string_equal(again, name);
	}
}

static bool has(const struct sip003_env *e, const char *var)
{
	for (char *const *at = e->vars; *at; at++)
		if (strcmp(*at, var) == 0)
			return true;
	return false;
}

static size_t count(const struct sip003_env *e)
{
	size_t n = 0;

	while (e->vars[n])
		n++;
	return n;
}

static void the_environment_says_what_sip003_says(void **state)
{
	static char path[] = "PATH=/bin", secret[] = "GATUN_PASSWORD=x", preload[] = "LD_PRELOAD=/evil.so", near[] = "PATHS=y",
		    forged[] = "SS_PLUGIN_OPTIONS=forged";
	char *const ours[] = { preload, near, path, secret, forged, NULL };
	const uint8_t loopback[4] = { 127, 0, 0, 1 };
	struct addr local = addr_v4(loopback, 12345);
	struct target remote;
	struct sip003_way way = { &remote, &local, "obfs=http;host=a\\;b" };
	struct sip003_env e;

	(void)state;
	assert_int_equal(target_parse("[2001:db8::1]:443", &remote), 0);
	assert_int_equal(sip003_env_make(&e, &way, ours), 0);
	assert_true(has(&e, "SS_REMOTE_HOST=2001:db8::1"));
	assert_true(has(&e, "SS_REMOTE_PORT=443"));
	assert_true(has(&e, "SS_LOCAL_HOST=127.0.0.1"));
	assert_true(has(&e, "SS_LOCAL_PORT=12345"));
	assert_true(has(&e, "SS_PLUGIN_OPTIONS=obfs=http;host=a\\;b"));
	assert_true(has(&e, "PATH=/bin"));
	assert_int_equal(count(&e), 6);
	sip003_env_free(&e);
	assert_int_equal(count(&e), 0);
}

static void a_name_stays_a_name_and_no_options_are_no_variable(void **state)
{
	char *const ours[] = { NULL };
	const uint8_t loopback[4] = { 127, 0, 0, 1 };
	struct addr local = addr_v4(loopback, 1);
	struct target remote;
	struct sip003_way way = { &remote, &local, "" };
	struct sip003_env e;

	(void)state;
	assert_int_equal(target_parse("server.example:8388", &remote), 0);
	assert_int_equal(sip003_env_make(&e, &way, ours), 0);
	assert_true(has(&e, "SS_REMOTE_HOST=server.example"));
	assert_int_equal(count(&e), 4);
	sip003_env_free(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_end_at_a_bare_semicolon),
		cmocka_unit_test(the_environment_says_what_sip003_says),
		cmocka_unit_test(a_name_stays_a_name_and_no_options_are_no_variable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
