/* SIP008 documents: what is sound is taken, what is not is left out with a reason, and nothing
 * in them reaches beyond a server's own keys. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/load.h"
#include "conf/online.h"
#include "conf/option.h"

#define KEY "AAECAwQFBgcICQoLDA0ODw=="
#define GOOD(name) "{\"id\":\"1\",\"remarks\":\"" name "\",\"server\":\"h.example\",\"server_port\":8388,\"method\":\"2022-blake3-aes-128-gcm\",\"password\":\"" KEY "\"}"

static char said[4096];

static void on_left_out(void *owner, int entry, const char *tag, const char *why)
{
	size_t at = strlen(said);

	(void)owner;
	snprintf(said + at, sizeof(said) - at, "%d %s: %s\n", entry, tag, why);
}

static int read_document(struct config *c, const char *text, struct online_document *d, const char **why)
{
	struct online_reader r = { on_left_out, NULL };

	said[0] = 0;
	return online_read(c, text, strlen(text), &r, d, why);
}

static void a_sound_document_is_taken(void **state)
{
	struct online_document d;
	struct config c;
	const char *why;

	(void)state;
	config_init(&c);
	c.outbound.fwmark = 7;
	assert_int_equal(read_document(&c, "{\"version\":1,\"servers\":[" GOOD("a \\u00e9") "," GOOD("b") "],\"bytes_used\":274877906944,"
					   "\"bytes_remaining\":824633720832,\"username\":\"x\"}", &d, &why), 0);
	assert_string_equal(said, "");
	assert_int_equal(d.n_servers, 2);
	assert_int_equal(d.bytes_used, 274877906944);
	assert_int_equal(d.bytes_remaining, 824633720832);
	assert_int_equal(c.n_servers, 2);
	assert_true(c.servers[0].online);
	assert_string_equal(c.servers[0].tag, "a \xc3\xa9");
	assert_string_equal(c.servers[0].address.name, "h.example");
	assert_int_equal(target_port(&c.servers[0].address), 8388);
	assert_string_equal(c.servers[1].method->name, "2022-blake3-aes-128-gcm");
	assert_int_equal(c.servers[0].key[15], 15);
	assert_int_equal(c.servers[0].outbound.fwmark, 7);
	/* A second one comes behind. */
	assert_int_equal(read_document(&c, "{\"version\":1,\"servers\":[" GOOD("c") "]}", &d, &why), 0);
	assert_int_equal(c.n_servers, 3);
	assert_int_equal(d.bytes_used, -1);
	config_free(&c);
}

static void what_is_not_sound_is_left_out(void **state)
{
	struct online_document d;
	struct config c;
	const char *why;

	(void)state;
	config_init(&c);
	assert_int_equal(read_document(&c, "{\"version\":1,\"servers\":[5,{},"
		"{\"server\":\"h\",\"server_port\":70000},"
		"{\"server\":7,\"server_port\":1},"
		"{\"server\":\"h\",\"server_port\":1,\"method\":\"rc4\",\"password\":\"p\",\"remarks\":\"old\\u001b[2J\"},"
		"{\"server\":\"h\",\"server_port\":1,\"method\":\"aes-256-gcm\"},"
		"{\"server\":\"bad host\\n\",\"server_port\":1,\"method\":\"aes-256-gcm\",\"password\":\"p\"},"
		GOOD("fine") "]}", &d, &why), 0);
	assert_int_equal(d.n_servers, 1);
	assert_int_equal(d.n_left_out, 7);
	assert_int_equal(c.n_servers, 1);
	assert_non_null(strstr(said, "1 : it is no object\n"));
	assert_non_null(strstr(said, "2 : \"server\" is missing"));
	assert_non_null(strstr(said, "3 : \"server_port\" is no port\n"));
	assert_non_null(strstr(said, "4 : \"server\" is missing, or a text of it is none\n"));
	assert_non_null(strstr(said, "5 old?[2J: method \"rc4\" is a stream cipher"));
	assert_null(strchr(said, '\033'));
	config_free(&c);
}

/* What a file may say and a stranger may not. */
static void it_reaches_no_further(void **state)
{
	struct online_document d;
	struct config c;
	const char *why;

	(void)state;
	config_init(&c);
	setenv("SECRET", "AAECAwQFBgcICQoLDA0ODw==", 1);
	assert_int_equal(read_document(&c, "{\"version\":1,\"servers\":[{\"server\":\"h\",\"server_port\":1,\"method\":\"aes-256-gcm\",\"password\":\"${SECRET}\","
		"\"outbound_fwmark\":9,\"outbound_bind_interface\":\"eth0\",\"outbound_proxy\":\"socks5://evil\",\"plugin_args\":[\"x\"],\"users\":[{}]}],"
		"\"locals\":[{\"local_port\":1}],\"control\":\"/tmp/x\",\"allow_local\":true}", &d, &why), 0);
	assert_int_equal(c.n_servers, 1);
	assert_int_equal(c.servers[0].outbound.fwmark, 0);
	assert_int_equal(c.servers[0].outbound.device[0], 0);
	assert_int_equal(c.servers[0].n_hops, 0);
	assert_int_equal(c.servers[0].n_users, 0);
	assert_int_equal(c.n_locals, 0);
	assert_null(c.control);
	assert_false(c.allow_local);
	assert_int_not_equal(memcmp(c.servers[0].key, "\x00\x01\x02\x03", 4), 0); /* not the variable's */
	config_free(&c);
	config_init(&c);
	/* The address is an address: no ss:// URL, which could name a plugin. */
	assert_int_equal(read_document(&c, "{\"version\":1,\"servers\":[{\"server\":\"ss://YWVzLTI1Ni1nY206cA@h:1/?plugin=sh\",\"server_port\":1,\"method\":\"aes-256-gcm\",\"password\":\"p\"}]}", &d, &why), -EINVAL);
	config_free(&c);
}

static void a_proxy_before_all_servers_is_before_these(void **state)
{
	static const char text[] = "{\"outbound_proxy\":[\"socks5://joe:secret@proxy.corp:1080\",\"http://127.0.0.1:3128\"],"
				   "\"online_config\":{\"config_url\":\"https://p.example/t\"},\"local_port\":1080}";
	struct online_document d;
	struct loading l;
	struct config c;
	const char *why;

	(void)state;
	load_begin(&l, &c);
	assert_true(load_text(&l, "test", text, sizeof(text) - 1));
	assert_true(load_finish(&l, FOR_LOCAL));
	load_end(&l);
	assert_int_equal(read_document(&c, "{\"version\":1,\"servers\":[" GOOD("a") "]}", &d, &why), 0);
	assert_int_equal(c.servers[0].n_hops, 2);
	assert_string_equal(c.servers[0].hops[0].address.name, "proxy.corp");
	assert_string_equal(c.servers[0].hops[0].password, "secret");
	assert_int_equal(c.servers[0].hops[1].kind, HOP_HTTP);
	config_free(&c);
}

static void plugins_want_leave(void **state)
{
	static const char *const allowed[] = { "obfs-local", NULL };
	static const char document[] = "{\"version\":1,\"servers\":["
		"{\"server\":\"h\",\"server_port\":1,\"method\":\"aes-256-gcm\",\"password\":\"p\",\"plugin\":\"obfs-local\",\"plugin_opts\":\"obfs=http\"},"
		"{\"server\":\"h\",\"server_port\":2,\"method\":\"aes-256-gcm\",\"password\":\"p\",\"plugin\":\"/bin/sh\",\"plugin_opts\":\"x\"},"
		"{\"server\":\"h\",\"server_port\":3,\"method\":\"aes-256-gcm\",\"password\":\"p\",\"plugin\":\"\"}]}";
	struct online_document d;
	struct config c;
	const char *why;

	(void)state;
	config_init(&c);
	assert_int_equal(read_document(&c, document, &d, &why), 0);
	assert_int_equal(c.n_servers, 1);
	assert_int_equal(target_port(&c.servers[0].address), 3);
	assert_string_equal(said, "1 : its plugin is not among \"allowed_plugins\"\n2 : its plugin is not among \"allowed_plugins\"\n");
	config_free(&c);
	config_init(&c);
	c.online_plugins = allowed;
	assert_int_equal(read_document(&c, document, &d, &why), 0);
	assert_int_equal(c.n_servers, 2);
	assert_string_equal(c.servers[0].plugin.name, "obfs-local");
	assert_string_equal(c.servers[0].plugin.options, "obfs=http");
	config_free(&c);
}

static void a_document_that_is_none_changes_nothing(void **state)
{
	static const struct { const char *text, *why; } bad[] = {
		{ "", "no JSON" },
		{ "<html>", "no JSON" },
		{ "[]", "no SIP008 document" },
		{ "{\"version\":1}", "no SIP008 document" },
		{ "{\"servers\":[" GOOD("x") "]}", "version" },
		{ "{\"version\":2,\"servers\":[" GOOD("x") "]}", "version" },
		{ "{\"version\":\"1\",\"servers\":[" GOOD("x") "]}", "version" },
		{ "{\"version\":1,\"servers\":[]}", "no server" },
		{ "{\"version\":1,\"servers\":[{},[],null]}", "no server" },
		{ "{\"version\":1,\"servers\":[" GOOD("x") "]", "no JSON" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct online_document d;
		struct config c;
		const char *why = NULL;

		config_init(&c);
		assert_int_equal(read_document(&c, bad[i].text, &d, &why), -EINVAL);
		if (!strstr(why, bad[i].why))
			fail_msg("%s: \"%s\" does not say \"%s\"", bad[i].text, why, bad[i].why);
		assert_int_equal(c.n_servers, 0);
		config_free(&c);
	}
}

static void its_size_is_bounded(void **state)
{
	static char text[300 * 300], large[ONLINE_BYTES_MAX + 2];
	struct online_document d;
	struct config c;
	const char *why = NULL;
	char *at = text + sprintf(text, "{\"version\":1,\"servers\":[");

	(void)state;
	for (int i = 0; i <= ONLINE_SERVERS_MAX; i++)
		at += sprintf(at, "%s" GOOD("x"), i ? "," : "");
	sprintf(at, "]}");
	config_init(&c);
	assert_int_equal(read_document(&c, text, &d, &why), -EINVAL);
	assert_non_null(strstr(why, "256"));
	memset(large, ' ', sizeof(large) - 1);
	assert_int_equal(read_document(&c, large, &d, &why), -EINVAL);
	assert_non_null(strstr(why, "1 MiB"));
	assert_int_equal(c.n_servers, 0);
	config_free(&c);
}

static void urls_are_safe_or_not(void **state)
{
	(void)state;
	assert_true(online_url_is_safe("https://h.example/x"));
	assert_true(online_url_is_safe("HTTPS://h.example/x"));
	assert_true(online_url_is_safe("http://127.0.0.1:8080/x"));
	assert_true(online_url_is_safe("http://[::1]/x"));
	assert_false(online_url_is_safe("http://h.example/x"));
	assert_false(online_url_is_safe("http://127.0.0.1.evil.example/x"));
	assert_false(online_url_is_safe("http://127.0.0.1@evil.example/x"));
	assert_false(online_url_is_safe("http://127.0.0.1:80@evil.example/x"));
	assert_false(online_url_is_safe("ftp://h.example/x"));
	assert_false(online_url_is_safe("file:///etc/passwd"));
	assert_false(online_url_is_safe(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_document_is_taken),
		cmocka_unit_test(what_is_not_sound_is_left_out),
		cmocka_unit_test(it_reaches_no_further),
		cmocka_unit_test(a_proxy_before_all_servers_is_before_these),
		cmocka_unit_test(plugins_want_leave),
		cmocka_unit_test(a_document_that_is_none_changes_nothing),
		cmocka_unit_test(its_size_is_bounded),
		cmocka_unit_test(urls_are_safe_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
