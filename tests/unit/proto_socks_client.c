/*
 * The clients' halves of SOCKS5 and CONNECT: their bytes, byte for byte, read
 * back by the servers' halves; answers in any pieces; what is no answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sodium.h>

#include "proto/http_client.h"
#include "proto/socks_client.h"

static struct target target(const char *text)
{
	struct target t;

	assert_int_equal(target_parse(text, &t), 0);
	return t;
}

static void greeting_and_login_are_understood(void **state)
{
	uint8_t out[513];
	struct socks_greeting g;
	struct socks_login l;
	char longest[256];
	size_t n = socks_write_greeting(out, false);

	(void)state;
	assert_int_equal(n, 3);
	assert_memory_equal(out, "\x05\x01\x00", 3);
	n = socks_write_greeting(out, true);
	assert_memory_equal(out, "\x05\x02\x00\x02", 4);
	assert_int_equal(socks_read_greeting(out, n, &g), 4);
	assert_true(g.none && g.password);
	memset(longest, 'x', 255);
	longest[255] = 0;
	n = socks_write_login(out, longest, longest);
	assert_int_equal(n, 513);
	assert_int_equal(socks_read_login(out, n, &l), 513);
	assert_int_equal(l.name_len, 255);
	n = socks_write_login(out, "joe", "p:w");
	assert_int_equal(n, 9);
	assert_memory_equal(out, "\x01\x03joe\x03p:w", 9);
}

static void requests_are_understood(void **state)
{
	static const char *const targets[] = { "192.0.2.1:80", "[2001:db8::1]:65535", "a.example:1" };
	uint8_t out[300];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct target t = target(targets[i]);
		struct socks_request r;
		char text[TARGET_STRLEN];
		size_t n = socks_write_request(out, i == 2 ? SOCKS_UDP_ASSOCIATE : SOCKS_CONNECT, &t);

		assert_int_equal(socks_read_request(out, n, &r), n);
		assert_int_equal(r.command, i == 2 ? SOCKS_UDP_ASSOCIATE : SOCKS_CONNECT);
		assert_string_equal(target_format(&r.target, text), targets[i]);
	}
}

static void answers_come_in_any_pieces(void **state)
{
	uint8_t in[64], method, reply;
	struct target bound;
	struct addr self;
	char text[TARGET_STRLEN];
	bool ok;
	size_t n;

	(void)state;
	assert_int_equal(socks_read_method((const uint8_t *)"\x05\x02", 1, &method), 0);
	assert_int_equal(socks_read_method((const uint8_t *)"\x05\x02", 2, &method), 2);
	assert_int_equal(method, SOCKS_METHOD_PASSWORD);
	assert_int_equal(socks_read_method((const uint8_t *)"H", 1, &method), -EPROTO);
	assert_int_equal(socks_read_login_status((const uint8_t *)"\x01", 1, &ok), 0);
	assert_int_equal(socks_read_login_status((const uint8_t *)"\x01\x00", 2, &ok), 2);
	assert_true(ok);
	assert_int_equal(socks_read_login_status((const uint8_t *)"\x01\x01", 2, &ok), 2);
	assert_false(ok);
	for (int six = 0; six < 2; six++) {
		assert_int_equal(addr_parse_ip(six ? "2001:db8::7" : "192.0.2.7", 4000, &self), 0);
		n = socks_write_reply(in, SOCKS_OK, &self);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(socks_read_reply(in, i, &reply, &bound), 0);
		in[n] = 'x'; /* the target's first byte is not ours */
		assert_int_equal(socks_read_reply(in, n + 1, &reply, &bound), n);
		assert_int_equal(reply, SOCKS_OK);
		assert_string_equal(target_format(&bound, text), six ? "[2001:db8::7]:4000" : "192.0.2.7:4000");
	}
	assert_int_equal(socks_read_reply((const uint8_t *)"\x05\x00\x00\x03\x00\x00\x00", 7, &reply, &bound), 7);
	assert_int_equal(socks_read_reply((const uint8_t *)"\x05\x00\x00\x09\x00\x00\x00\x00\x00\x00", 10, &reply, &bound), -EPROTO);
	assert_int_equal(socks_read_reply((const uint8_t *)"HTTP/1.1 400", 12, &reply, &bound), -EPROTO);
}

static void refusals_keep_their_word(void **state)
{
	static const enum flow_end words[] = { END_DENIED, END_UNREACHABLE, END_REFUSED, END_CONNECT_TIMEOUT };

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(socks_end_of(socks_reply_of(words[i])), words[i]);
	assert_int_equal(socks_end_of(SOCKS_FAILURE), END_REFUSED);
	assert_int_equal(socks_end_of(SOCKS_NO_COMMAND), END_PROTOCOL);
	assert_int_equal(http_end_of(http_status_of(END_DENIED)), END_DENIED);
	assert_int_equal(http_end_of(http_status_of(END_REFUSED)), END_REFUSED);
	assert_int_equal(http_end_of(http_status_of(END_CONNECT_TIMEOUT)), END_CONNECT_TIMEOUT);
	assert_int_equal(http_end_of(407), END_DENIED);
	assert_int_equal(http_end_of(200 + 102), END_PROTOCOL);
}

static void connect_is_understood(void **state)
{
	static const char expected[] = "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n";
	struct target t = target("a.example:443"), six = target("[2001:db8::1]:8388");
	uint8_t out[HTTP_CONNECT_MAX];
	struct http_head head;
	struct http_text name, password;
	char room[600], text[TARGET_STRLEN], longest[256];
	ssize_t n = http_write_connect(&t, NULL, NULL, out);

	(void)state;
	assert_int_equal(n, sizeof(expected) - 1);
	assert_memory_equal(out, expected, (size_t)n);
	memset(longest, 'x', 255);
	longest[255] = 0;
	n = http_write_connect(&six, longest, longest, out);
	assert_true(n > 0);
	assert_int_equal(http_read_request(out, (size_t)n, &head), n);
	assert_true(head.connect);
	assert_string_equal(target_format(&head.target, text), "[2001:db8::1]:8388");
	assert_int_equal(http_read_basic(head.authorization, room, sizeof(room), &name, &password), 0);
	assert_int_equal(name.len, 255);
	assert_int_equal(password.len, 255);
	/* the longest name with the longest login fits */
	memset(t.name, 'a', 253);
	t.name[253] = 0;
	t.name_len = 253;
	assert_true(http_write_connect(&t, longest, longest, out) > 0);
}

static void a_name_cannot_be_a_header(void **state)
{
	static const char *const names[] = { "a\r\nX: y", "a b", "a/b", "a:1", "caf\xc3\xa9", "a\x7f" };
	struct target t = target("a.example:443");
	uint8_t out[HTTP_CONNECT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		strcpy(t.name, names[i]);
		t.name_len = (uint8_t)strlen(names[i]);
		assert_int_equal(http_write_connect(&t, NULL, NULL, out), -EINVAL);
	}
	t = target("a.example:443");
	assert_int_equal(http_write_connect(&t, "a:b", "c", out), -EINVAL); /* it would be user a */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(greeting_and_login_are_understood),
		cmocka_unit_test(requests_are_understood),
		cmocka_unit_test(answers_come_in_any_pieces),
		cmocka_unit_test(refusals_keep_their_word),
		cmocka_unit_test(connect_is_understood),
		cmocka_unit_test(a_name_cannot_be_a_header),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
