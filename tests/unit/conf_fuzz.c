/*
 * Seeded mutations of configs and URLs: nothing crashes (the sanitizer build
 * looks closer), whatever is accepted is sound, and whatever is refused says so.
 * FUZZ_ROUNDS in the environment multiplies the work.
 */
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

#define ROUNDS 3000

static uint64_t seed;

static uint32_t pick(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static int rounds(void)
{
	const char *factor = getenv("FUZZ_ROUNDS");

	return ROUNDS * (factor ? atoi(factor) : 1);
}

static const char *const configs[] = {
	"{ \"server\": \"192.0.2.1\", \"server_port\": 8388, \"method\": \"aes-256-gcm\", \"password\": \"x\" }",
	("// c\n{ /* d */ \"servers\": [ { \"address\": \"::1\", \"port\": \"1\", \"method\": \"2022-blake3-aes-128-gcm\", "
	"\"password\": \"AAECAwQFBgcICQoLDA0ODw==\", \"remarks\": \"\xc3\xa9\\u0041\" }, ], \"mode\": \"udp_only\" }"),
	"{ \"server\": \"ss://YWVzLTI1Ni1nY206c2VjcmV0@h:2#t\", \"locals\": [ { \"protocol\": \"tun\", \"tun_mtu\": 1500, \"dns_mode\": \"off\" } ] }",
	"{ \"server\": [\"a\", \"b\"], \"nameserver\": \"1.1.1.1,::1\", \"dns_upstream\": \"[::1]:53\", \"timeout\": 1, \"acl\": null }",
};

static const char *const urls[] = {
	"ss://YWVzLTI1Ni1nY206c2VjcmV0@192.0.2.1:8388#tag",
	"ss://2022-blake3-aes-128-gcm:AAECAwQFBgcICQoLDA0ODw%3D%3D@[2001:db8::1]:443/?plugin=a%3Bb&x=y#%F0%9F%87%A9",
	"ss://YWVzLTI1Ni1nY206cEBzc0AxOTIuMC4yLjE6ODM4OA==#old",
};

/* Changes, inserts, deletes or repeats bytes; mostly those that mean something. */
static size_t mutate(char *text, size_t len, size_t size)
{
	static const char words[] = "{}[]:,\"\\/*@#?&%=.-_ \n\t0123456789abcnutrefls\x00\x80\xff\xc3";
	uint32_t n = 1 + pick(4);

	while (n--) {
		size_t at = pick((uint32_t)len + 1), count = 1 + pick(6);
		char byte = words[pick(sizeof(words) - 1)];

		switch (pick(4)) {
		case 0:
			if (at < len)
				text[at] = byte;
			break;
		case 1:
			if (len + 1 < size) {
				memmove(text + at + 1, text + at, len - at);
				text[at] = byte;
				len++;
			}
			break;
		case 2:
			count = count > len - at ? len - at : count;
			memmove(text + at, text + at + count, len - at - count);
			len -= count;
			break;
		case 3:
			count = count > len - at ? len - at : count;
			if (len + count < size) {
				memmove(text + at + count, text + at, len - at);
				len += count;
			}
			break;
		}
	}
	return len;
}

static void check_server(const struct config_server *s)
{
	assert_non_null(s->method);
	assert_non_null(s->tag);
	assert_true(target_port(&s->address) > 0);
	assert_true(s->mode >= MODE_TCP_ONLY && s->mode <= MODE_TCP_AND_UDP);
	for (const char *p = s->tag; *p; p++)
		assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void load_one(const char *text, size_t len)
{
	/* exactly sized, so that the sanitizer sees a byte too far */
	char *exact = malloc(len ? len : 1), *out = NULL;
	size_t size = 0;
	struct config c;
	struct loading l;
	FILE *f = open_memstream(&out, &size);
	bool ok;

	memcpy(exact, text, len);
	load_begin(&l, &c);
	ok = load_text(&l, "fuzz", exact, len) && load_finish(&l, FOR_SERVER);
	problems_print(&l.problems, PROBLEM_ADVICE, f);
	fclose(f);
	assert_int_equal(ok, l.problems.n_errors == 0);
	assert_null(strstr(out, "cannot follow")); /* the two walks always agree */
	assert_true(ok ? c.n_servers > 0 : strstr(out, ": error: ") != NULL);
	for (int i = 0; i < c.n_servers; i++)
		check_server(&c.servers[i]);
	load_end(&l);
	config_free(&c);
	free(out);
	free(exact);
}

static void mutated_configs(void **state)
{
	char text[1024];

	(void)state;
	seed = 1;
	for (int i = 0; i < rounds(); i++) {
		const char *from = configs[pick(sizeof(configs) / sizeof(*configs))];
		size_t len = strlen(from);

		memcpy(text, from, len);
		load_one(text, mutate(text, len, sizeof(text)));
	}
}

static void truncated_configs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(configs) / sizeof(*configs); i++)
		for (size_t len = 0; len <= strlen(configs[i]); len++)
			load_one(configs[i], len);
}

static void deep_nesting_is_refused(void **state)
{
	static char deep[100000];

	(void)state;
	memset(deep, '[', sizeof(deep));
	load_one(deep, sizeof(deep));
	memcpy(deep, "{\"a\":", 5);
	load_one(deep, sizeof(deep));
}

static void mutated_urls(void **state)
{
	char text[1024];

	(void)state;
	seed = 2;
	for (int i = 0; i < rounds() * 4; i++) {
		const char *from = urls[pick(sizeof(urls) / sizeof(*urls))];
		size_t len = strlen(from);
		struct server_spec s = { 0 }, again = { 0 };
		char err[128] = "", *exact, *url;

		memcpy(text, from, len);
		len = mutate(text, len, sizeof(text) - 1);
		text[len] = 0;
		exact = strdup(text);
		if (url_parse(exact, &s, err, sizeof(err)) != 0) {
			assert_true(*err);
		} else {
			url = url_format(&s);
			if (url_parse(url, &again, err, sizeof(err)) != 0)
				fail_msg("%s became %s: %s", text, url, err);
			assert_string_equal(again.method.text, s.method.text);
			assert_string_equal(again.password.text, s.password.text);
			assert_string_equal(again.host.text, s.host.text);
			assert_int_equal(again.port.number, s.port.number);
			url_free(url);
		}
		spec_free(&s);
		spec_free(&again);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutated_configs),
		cmocka_unit_test(truncated_configs),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(mutated_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
