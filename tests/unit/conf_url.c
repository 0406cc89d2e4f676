/* ss:// URLs: every form that is in use, both ways, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "conf/url.h"

struct form {
	const char *url, *method, *password, *host;
	unsigned port;
	const char *tag;
};

/* aes-256-gcm:secret = YWVzLTI1Ni1nY206c2VjcmV0 */
static const struct form forms[] = {
	{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@192.0.2.1:8388", "aes-256-gcm", "secret", "192.0.2.1", 8388, NULL },
	{ "SS://YWVzLTI1Ni1nY206c2VjcmV0@192.0.2.1:8388/", "aes-256-gcm", "secret", "192.0.2.1", 8388, NULL },
	{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@[2001:db8::1]:443#de%20one", "aes-256-gcm", "secret", "2001:db8::1", 443, "de one" },
	{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@example.org:1/?other=1&outline=1#%F0%9F%87%A9", "aes-256-gcm", "secret", "example.org", 1,
	  "\xf0\x9f\x87\xa9" },
	/* padding: with it, without, percent-encoded. aes-128-gcm:secrets */
	{ "ss://YWVzLTEyOC1nY206c2VjcmV0cw==@h:2", "aes-128-gcm", "secrets", "h", 2, NULL },
	{ "ss://YWVzLTEyOC1nY206c2VjcmV0cw@h:2", "aes-128-gcm", "secrets", "h", 2, NULL },
	{ "ss://YWVzLTEyOC1nY206c2VjcmV0cw%3D%3D@h:2", "aes-128-gcm", "secrets", "h", 2, NULL },
	/* both alphabets: aes-128-gcm:>>>??? */
	{ "ss://YWVzLTEyOC1nY206Pj4-Pz8_@h:2", "aes-128-gcm", ">>>???", "h", 2, NULL },
	{ "ss://YWVzLTEyOC1nY206Pj4+Pz8/@h:2", "aes-128-gcm", ">>>???", "h", 2, NULL },
	/* in clear, as SIP022 asks, percent-encoded or carelessly not */
	{ "ss://2022-blake3-aes-128-gcm:AAECAwQFBgcICQoLDA0ODw%3D%3D@h:2", "2022-blake3-aes-128-gcm", "AAECAwQFBgcICQoLDA0ODw==",
	  "h", 2, NULL },
	{ "ss://2022-blake3-aes-128-gcm:a+b/c==@h:2", "2022-blake3-aes-128-gcm", "a+b/c==", "h", 2, NULL },
	{ "ss://aes-256-gcm%3Ase%2Bcret@h:2", "aes-256-gcm", "se+cret", "h", 2, NULL },
	/* `@` and `:` in the password */
	{ "ss://aes-256-gcm:p@ss@wo:rd@h:2", "aes-256-gcm", "p@ss@wo:rd", "h", 2, NULL },
	{ "ss://YWVzLTI1Ni1nY206cEBzczp3@h:2", "aes-256-gcm", "p@ss:w", "h", 2, NULL },
	{ "ss://aes-256-gcm:p%40ss@h:2", "aes-256-gcm", "p@ss", "h", 2, NULL },
	/* the older form: base64 of the whole; aes-256-gcm:p@ss@192.0.2.1:8388 and with [::1] */
	{ "ss://YWVzLTI1Ni1nY206cEBzc0AxOTIuMC4yLjE6ODM4OA==#old", "aes-256-gcm", "p@ss", "192.0.2.1", 8388, "old" },
	{ "ss://YWVzLTI1Ni1nY206cEBzc0AxOTIuMC4yLjE6ODM4OA", "aes-256-gcm", "p@ss", "192.0.2.1", 8388, NULL },
	{ "ss://YWVzLTI1Ni1nY206cEBzc0BbOjoxXToxMA/", "aes-256-gcm", "p@ss", "::1", 10, NULL },
	/* copied with what stood around it */
	{ " \tss://YWVzLTI1Ni1nY206c2VjcmV0@192.0.2.1:8388\r\n", "aes-256-gcm", "secret", "192.0.2.1", 8388, NULL },
	{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@h:2#at home ", "aes-256-gcm", "secret", "h", 2, "at home" },
	/* a tag that does not decode is decoration; one with @ and ? is only a tag */
	{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@h:2#100%", "aes-256-gcm", "secret", "h", 2, "100%" },
	{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@h:2#a@b?c", "aes-256-gcm", "secret", "h", 2, "a@b?c" },
};

static void check_form(const struct form *f, const struct server_spec *s)
{
	assert_string_equal(s->method.text, f->method);
	assert_string_equal(s->password.text, f->password);
	assert_string_equal(s->host.text, f->host);
	assert_int_equal(s->port.number, f->port);
	if (f->tag)
		assert_string_equal(s->tag.text, f->tag);
	else
		assert_null(s->tag.text);
}

static void every_form_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct server_spec s = { 0 };
		char err[128] = "";

		if (url_parse(forms[i].url, &s, err, sizeof(err)) != 0)
			fail_msg("%s: %s", forms[i].url, err);
		check_form(&forms[i], &s);
		spec_free(&s);
	}
}

static void what_is_written_reads_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct server_spec s = { 0 }, again = { 0 };
		char err[128] = "";
		char *url;

		assert_int_equal(url_parse(forms[i].url, &s, err, sizeof(err)), 0);
		url = url_format(&s);
		if (url_parse(url, &again, err, sizeof(err)) != 0)
			fail_msg("%s became %s: %s", forms[i].url, url, err);
		check_form(&forms[i], &again);
		url_free(url);
		spec_free(&s);
		spec_free(&again);
	}
}

static void writing_follows_sip002(void **state)
{
	struct server_spec s = { 0 };
	char *url;

	(void)state;
	spec_set_text(&s.method, "2022-blake3-aes-128-gcm", 23, 0);
	spec_set_text(&s.password, "a+b/c==", 7, 0);
	spec_set_text(&s.host, "2001:db8::1", 11, 0);
	spec_set_text(&s.tag, "a b", 3, 0);
	s.port.number = 8388;
	url = url_format(&s);
	assert_string_equal(url, "ss://2022-blake3-aes-128-gcm:a%2Bb%2Fc%3D%3D@[2001:db8::1]:8388#a%20b");
	url_free(url);
	spec_set_text(&s.method, "aes-256-gcm", 11, 0);
	spec_set_text(&s.password, "secret", 6, 0);
	url = url_format(&s);
	assert_string_equal(url, "ss://YWVzLTI1Ni1nY206c2VjcmV0@[2001:db8::1]:8388#a%20b");
	url_free(url);
	spec_free(&s);
}

static void what_is_refused_says_why(void **state)
{
	static const struct { const char *url, *why; } bad[] = {
		{ "http://example.org/", "not an ss:// URL" },
		{ "ss://", "base64" },
		{ "ss://@", "base64" },
		{ "ss://!!!@h:1", "base64" },
		{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@h", "port is missing" },
		{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@[::1]", "port is missing" },
		{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@h:", "not a number" },
		{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@h:8x", "not a number" },
		{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@h:-1", "not a number" },
		{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@h:0", "between 1 and 65535" },
		{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@h:70000", "between 1 and 65535" },
		{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@h:99999999999999999999", "between 1 and 65535" },
		{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@:8388", "host is empty" },
		{ "ss://YWVzLTI1Ni1nY206c2VjcmV0@::1:8388", "brackets" },
		{ "ss://aes-256-gcm:a%zz@h:1", "escape" },
		{ "ss://aes-256-gcm:a%00b@h:1", "escape" },
		{ "ss://aes-256-gcm:a@h%4:1", "escape" },
		{ "ss://aes-256-gcm%2@h:1", "escape" },
		{ "ss://aes%3A256:x@h:1", "colon" },
		{ "ss://aes-256-gcm:x@a%40b:1", "character" },
		{ "ss://YWVzLTI1Ni1nY206AHg@h:1", "base64" }, /* a NUL inside */
		{ "ss://YWVzLTI1Ni1nY21zZWNyZXQ@h:1", "base64" }, /* no colon inside */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct server_spec s = { 0 };
		char err[128] = "";

		if (url_parse(bad[i].url, &s, err, sizeof(err)) == 0)
			fail_msg("%s was accepted", bad[i].url);
		if (!strstr(err, bad[i].why))
			fail_msg("%s: \"%s\" does not say \"%s\"", bad[i].url, err, bad[i].why);
		spec_free(&s);
	}
}

/* The options stay as they are written, escapes and all: only the plugin reads them. */
static void a_plugin_and_its_options_go_both_ways(void **state)
{
	static const struct { const char *query, *plugin, *options; } cases[] = {
		{ "x=y&plugin=obfs-local%3Bobfs%3Dhttp", "obfs-local", "obfs=http" },
		{ "plugin=v2ray-plugin", "v2ray-plugin", NULL },
		{ "plugin=p%3Bhost%3Da%5C%3Bb%5C%3Dc%5C%5Cd%3Btls", "p", "host=a\\;b\\=c\\\\d;tls" },
		{ "plugin=odd%5C%3Bname%3Bflag", "odd;name", "flag" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct server_spec s = { 0 }, again = { 0 };
		char url[256], err[128], *written;

		snprintf(url, sizeof(url), "ss://YWVzLTI1Ni1nY206c2VjcmV0@h:2/?%s#t", cases[i].query);
		assert_int_equal(url_parse(url, &s, err, sizeof(err)), 0);
		written = url_format(&s);
		assert_int_equal(url_parse(written, &again, err, sizeof(err)), 0);
		assert_string_equal(s.plugin.text, cases[i].plugin);
		assert_string_equal(again.plugin.text, cases[i].plugin);
		if (cases[i].options) {
			assert_string_equal(s.plugin_opts.text, cases[i].options);
			assert_string_equal(again.plugin_opts.text, cases[i].options);
		} else {
			assert_null(s.plugin_opts.text);
			assert_null(again.plugin_opts.text);
		}
		url_free(written);
		spec_free(&s);
		spec_free(&again);
	}
}

static void an_endless_url_is_refused(void **state)
{
	static char url[20000];
	struct server_spec s = { 0 };
	char err[128];

	(void)state;
	memset(url, 'A', sizeof(url) - 1);
	memcpy(url, "ss://", 5);
	assert_int_not_equal(url_parse(url, &s, err, sizeof(err)), 0);
	assert_non_null(strstr(err, "longer"));
	spec_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_read),	     cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(writing_follows_sip002),    cmocka_unit_test(what_is_refused_says_why),
		cmocka_unit_test(a_plugin_and_its_options_go_both_ways), cmocka_unit_test(an_endless_url_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
