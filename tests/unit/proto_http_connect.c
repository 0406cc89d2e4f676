/* HTTP heads and bodies: what is asked for, how it leaves, where bodies end, and
 * that whatever could be read in two ways is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/http_connect.h"

static struct http_head head;
static uint8_t out[HTTP_HEAD_OUT_MAX];

static ssize_t request(const char *text)
{
	return http_read_request((const uint8_t *)text, strlen(text), &head);
}

static ssize_t response(const char *text, bool to_head)
{
	return http_read_response((const uint8_t *)text, strlen(text), to_head, &head);
}

static void requests_say_whom_they_want(void **state)
{
	static const char *const targets[][2] = {
		{ "CONNECT a.org:443 HTTP/1.1\r\n\r\n", "a.org:443" },
		{ "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: x\r\n\r\n", "[2001:db8::1]:443" },
		{ "GET http://a.org/x?y HTTP/1.1\r\nHost: b.org\r\n\r\n", "a.org:80" },
		{ "GET http://a.org:81 HTTP/1.0\r\n\r\n", "a.org:81" },
		{ "GET http://[::1]/ HTTP/1.1\r\n\r\n", "[::1]:80" },
		{ "GET HTTP://1.2.3.4?q HTTP/1.1\r\n\r\n", "1.2.3.4:80" },
	};
	char text[TARGET_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		for (size_t n = 0; n < strlen(targets[i][0]); n++)
			assert_int_equal(http_read_request((const uint8_t *)targets[i][0], n, &head), 0);
		assert_int_equal(request(targets[i][0]), strlen(targets[i][0]));
		assert_string_equal(target_format(&head.target, text), targets[i][1]);
		assert_int_equal(head.connect, i < 2);
	}
}

static void what_has_two_readings_is_refused(void **state)
{
	static const char *const bad[] = {
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET https://a.org/ HTTP/1.1\r\n\r\n", "CONNECT a.org HTTP/1.1\r\n\r\n",
		"CONNECT a.org:0 HTTP/1.1\r\n\r\n", "CONNECT a.org:70000 HTTP/1.1\r\n\r\n", "GET http:///x HTTP/1.1\r\n\r\n",
		"GET http://u:p@a.org/ HTTP/1.1\r\n\r\n", "GET http://a.org/ HTTP/2.0\r\n\r\n", "GET  http://a.org/ HTTP/1.1\r\n\r\n",
		"GET http://a.org/ x HTTP/1.1\r\n\r\n", "G(T http://a.org/ HTTP/1.1\r\n\r\n", "GET http://a.org/\t HTTP/1.1\r\n\r\n",
		"\r\n\r\n", "GET\r\n\r\n",
		"POST http://a.org/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST http://a.org/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"POST http://a.org/ HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", "POST http://a.org/ HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
		"POST http://a.org/ HTTP/1.1\r\nContent-Length: \r\n\r\n",
		"POST http://a.org/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"POST http://a.org/ HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
		"POST http://a.org/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST http://a.org/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET http://a.org/ HTTP/1.1\r\nA : b\r\n\r\n", "GET http://a.org/ HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
		"GET http://a.org/ HTTP/1.1\r\nA: b\nC: d\r\n\r\n", "GET http://a.org/ HTTP/1.1\r\n: d\r\n\r\n",
		"GET http://a.org/ HTTP/1.1\r\nA: b\rC: d\r\n\r\n", "GET http://a.org/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"CONNECT a.org:443 HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (request(bad[i]) != -400)
			fail_msg("not refused: %s", bad[i]);
	assert_true(response("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", false) < 0);
	assert_true(response("HTTP/1.1 101 Switching\r\n\r\n", false) < 0);
	assert_true(response("HTTP/2 200\r\nxxxx: y\r\n\r\n", false) < 0);
	assert_true(response("SSH-2.0-OpenSSH_9.2p1 Debian\r\n\r\n", false) < 0);
}

static void heads_leave_without_what_is_the_proxys(void **state)
{
	const char *in = "GET http://a.org?q=1 HTTP/1.1\r\nHost: evil\r\nX-A: 1\r\nProxy-Authorization: Basic eDp5\r\n"
			 "Connection: x-b, Content-Length, keep-alive\r\nX-B: 2\r\nTE: trailers\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\n";
	size_t n = (size_t)request(in);

	(void)state;
	assert_int_equal(n, strlen(in));
	out[http_write_request(&head, (const uint8_t *)in, n, out)] = 0;
	assert_string_equal((char *)out, "GET /?q=1 HTTP/1.1\r\nHost: a.org\r\nX-A: 1\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
	in = "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n";
	n = (size_t)response(in, false);
	assert_int_equal(head.framing, HTTP_CHUNKED);
	out[http_write_response(&head, (const uint8_t *)in, n, true, out)] = 0;
	assert_string_equal((char *)out, "HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n");
}

static void connections_and_bodies_are_as_the_heads_say(void **state)
{
	(void)state;
	request("GET http://a/ HTTP/1.1\r\n\r\n");
	assert_true(head.keep_alive && head.framing == HTTP_NO_BODY);
	request("GET http://a/ HTTP/1.1\r\nProxy-Connection: Close\r\n\r\n");
	assert_false(head.keep_alive);
	request("GET http://a/ HTTP/1.0\r\n\r\n");
	assert_false(head.keep_alive);
	request("GET http://a/ HTTP/1.0\r\nConnection: x, keep-alive\r\n\r\n");
	assert_true(head.keep_alive);
	request("POST http://a/ HTTP/1.1\r\nContent-Length: 12\r\n\r\n");
	assert_true(head.framing == HTTP_LENGTH && head.length == 12);
	response("HTTP/1.1 200 OK\r\n\r\n", false);
	assert_int_equal(head.framing, HTTP_UNTIL_CLOSE);
	response("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false);
	assert_int_equal(head.framing, HTTP_NO_BODY);
	response("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true);
	assert_int_equal(head.framing, HTTP_NO_BODY);
}

/* At once and byte by byte: how much is the body's; -1: refused. */
static void body_is(enum http_framing framing, uint64_t length, const char *text, ssize_t want, bool done)
{
	struct http_body once, bytes;
	ssize_t n, sum = 0;

	http_body_init(&once, framing, length);
	http_body_init(&bytes, framing, length);
	n = http_body_scan(&once, (const uint8_t *)text, strlen(text));
	for (size_t i = 0; i < strlen(text) && sum >= 0; i++) {
		ssize_t one = http_body_scan(&bytes, (const uint8_t *)text + i, 1);
		sum = one < 0 ? -1 : sum + one;
	}
	if ((n < 0 ? -1 : n) != want || sum != want || (want >= 0 && (once.done != done || bytes.done != done)))
		fail_msg("%s: %zd, byte by byte %zd, wanted %zd", text, n, sum, want);
}

static void bodies_end_where_they_say(void **state)
{
	(void)state;
	body_is(HTTP_NO_BODY, 0, "next", 0, true);
	body_is(HTTP_LENGTH, 3, "abcnext", 3, true);
	body_is(HTTP_LENGTH, 8, "abcnext", 7, false);
	body_is(HTTP_UNTIL_CLOSE, 0, "abcnext", 7, false);
	body_is(HTTP_CHUNKED, 0, "3\r\nabc\r\n0\r\n\r\nnext", 13, true);
	body_is(HTTP_CHUNKED, 0, "1;x=y\r\na\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\nnext", 36, true);
	body_is(HTTP_CHUNKED, 0, "3\r\nab", 5, false);
	body_is(HTTP_CHUNKED, 0, "\r\n", -1, false);
	body_is(HTTP_CHUNKED, 0, "3\nabc\r\n0\r\n\r\n", -1, false);
	body_is(HTTP_CHUNKED, 0, "3 \r\nabc\r\n", -1, false);
	body_is(HTTP_CHUNKED, 0, "0x3\r\nabc\r\n", -1, false);
	body_is(HTTP_CHUNKED, 0, "3\r\nabcd\r\n", -1, false);
	body_is(HTTP_CHUNKED, 0, "ffffffffffffffff\r\n", -1, false);
	body_is(HTTP_CHUNKED, 0, "1;a\nb\r\nx\r\n", -1, false);
}

static void basic_is_read(void **state)
{
	struct http_text name, password, good = { "Basic am9lOmEgYjpj", 18 }, no_colon = { "basic am9l", 10 }, other = { "Digest x", 8 };
	char room[64];

	(void)state;
	assert_int_equal(http_read_basic(good, room, sizeof(room), &name, &password), 0);
	assert_true(name.len == 3 && memcmp(name.at, "joe", 3) == 0);
	assert_true(password.len == 5 && memcmp(password.at, "a b:c", 5) == 0);
	assert_true(http_read_basic(no_colon, room, sizeof(room), &name, &password) < 0);
	assert_true(http_read_basic(other, room, sizeof(room), &name, &password) < 0);
	assert_true(http_read_basic(good, room, 4, &name, &password) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_say_whom_they_want),
		cmocka_unit_test(what_has_two_readings_is_refused),
		cmocka_unit_test(heads_leave_without_what_is_the_proxys),
		cmocka_unit_test(connections_and_bodies_are_as_the_heads_say),
		cmocka_unit_test(bodies_end_where_they_say),
		cmocka_unit_test(basic_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
