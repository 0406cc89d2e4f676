/*
 * The outbound through a proxy, against a proxy of the test's own on loopback:
 * what it says in any pieces, the target's bytes right behind it, refusals,
 * nonsense, silence, hanging up, and a dial that is cancelled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "io/slice.h"
#include "io/tcp_socket.h"
#include "loop/loop.h"
#include "outbound/proxy.h"
#include "resolve/resolve.h"

/* A proxy that says its lines, each when something has come from the client. */
struct script {
	const char *lines[4];
	size_t lens[4];
	int n, next;
	bool byte_by_byte, hang_up, silent;
	uint8_t heard[2048];
	size_t n_heard;
};

static struct script script;
static struct stream *at_proxy;
static struct tcp_listener *listener;
static struct outbound *proxy;

static void say(const char *text, size_t len)
{
	struct buf *b = buf_get((uint32_t)len);
	struct slice s = { b, 0, (uint32_t)len };

	memcpy(b->data, text, len);
	assert_int_equal(stream_write(at_proxy, &s, 1), len);
	buf_unref(b);
}

static struct loop_timer drip;
static const char *dripping;
static size_t left;

static void on_drip(struct loop_timer *t)
{
	say(dripping++, 1);
	if (--left)
		loop_timer_start(t, 1, on_drip);
}

static size_t proxy_hears(void *owner, const struct slice *v, int n)
{
	(void)owner;
	for (int i = 0; i < n; i++) {
		assert_true(script.n_heard + v[i].len <= sizeof(script.heard));
		memcpy(script.heard + script.n_heard, slice_data(&v[i]), v[i].len);
		script.n_heard += v[i].len;
	}
	if (script.hang_up)
		stream_shut(at_proxy);
	if (script.silent || script.hang_up || script.next == script.n)
		return slices_len(v, n);
	if (script.byte_by_byte) {
		dripping = script.lines[script.next];
		left = script.lens[script.next];
		loop_timer_start(&drip, 1, on_drip);
	} else {
		say(script.lines[script.next], script.lens[script.next]);
	}
	script.next++;
	return slices_len(v, n);
}

static void nothing(void *owner) { (void)owner; }
static void proxy_lost(void *owner, enum flow_end why) { (void)owner, (void)why; }
static const struct stream_events proxy_events = { proxy_hears, nothing, nothing, proxy_lost };

static void on_client(void *owner, struct stream *s, const struct addr *client)
{
	(void)owner, (void)client;
	at_proxy = s;
	stream_bind(s, &proxy_events, NULL);
	stream_want(s, true, false);
}

static const struct tcp_listener_events listener_events = { on_client };

/* ---- the client ---- */

static struct stream *opened;
static int failed; /* -1: no */
static char got[64];
static size_t n_got, want_got;

static void on_time(struct loop_timer *t)
{
	(void)t;
	loop_stop();
}

static struct loop_timer patience;

static size_t on_data(void *owner, const struct slice *v, int n)
{
	(void)owner;
	for (int i = 0; i < n; i++) {
		memcpy(got + n_got, slice_data(&v[i]), v[i].len);
		n_got += v[i].len;
	}
	if (n_got >= want_got)
		loop_stop();
	return slices_len(v, n);
}

static void on_ended(void *owner, enum flow_end why)
{
	(void)owner, (void)why;
	loop_stop();
}

static const struct stream_events client_events = { on_data, nothing, nothing, on_ended };

static void on_opened(void *owner, struct stream *s)
{
	(void)owner;
	opened = s;
	stream_bind(s, &client_events, NULL);
	stream_want(s, true, false);
	if (!want_got)
		loop_stop();
}

static void on_failed(void *owner, enum flow_end why)
{
	(void)owner;
	failed = (int)why;
	loop_stop();
}

static const struct dial_events dial_events = { on_opened, on_failed };

static struct dial *begin(bool http, const char *user)
{
	struct proxy_options o = { .http = http, .user = user, .password = user ? "secret" : NULL, .timeout_s = script.silent ? 1 : 60 };
	struct resolve_options names = { 0 };
	struct tcp_socket_options socket = { 0 };
	struct target t;
	struct addr a;
	char err[64];
	int error;

	assert_int_equal(loop_init(), 0);
	assert_int_equal(resolve_init(&names, err, sizeof(err)), 0);
	assert_int_equal(addr_parse_ip("127.0.0.1", 0, &a), 0);
	listener = tcp_listener_new(&a, &socket, &listener_events, NULL, &error);
	assert_non_null(listener);
	a = tcp_listener_addr(listener);
	target_from_addr(&o.address, &a);
	proxy = proxy_new(&o);
	assert_non_null(proxy);
	at_proxy = opened = NULL;
	failed = -1;
	n_got = 0;
	assert_int_equal(target_parse("a.example:8388", &t), 0);
	return proxy->ops->connect(proxy, &t, &dial_events, NULL);
}

static void go(void)
{
	loop_timer_start(&patience, 60000, on_time);
	loop_run();
	loop_timer_stop(&patience);
}

static void end(void)
{
	loop_timer_stop(&drip);
	if (opened)
		stream_end(opened, END_CLIENT_RESET);
	if (at_proxy)
		stream_end(at_proxy, END_CLIENT_RESET);
	proxy->ops->free(proxy); /* its dials are done */
	tcp_listener_free(listener);
	resolve_free();
	loop_turn();
	loop_turn();
	loop_free();
}

#define LINE(i, text) script.lines[i] = text, script.lens[i] = sizeof(text) - 1, script.n = i + 1
#define GRANTED "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"

static void expect_failure(bool http, const char *user, enum flow_end why)
{
	want_got = 0;
	begin(http, user);
	go();
	assert_null(opened);
	assert_int_equal(failed, why);
	end();
}

static void socks_with_a_login_and_the_target_s_bytes_behind(void **state)
{
	(void)state;
	for (int slow = 0; slow < 2; slow++) {
		script = (struct script){ .byte_by_byte = slow };
		LINE(0, "\x05\x02");
		LINE(1, "\x01\x00");
		LINE(2, GRANTED "hello");
		want_got = 5;
		begin(false, "joe");
		go();
		assert_non_null(opened);
		assert_int_equal(n_got, 5);
		assert_memory_equal(got, "hello", 5);
		assert_memory_equal(script.heard, "\x05\x02\x00\x02\x01\x03joe\x06secret\x05\x01\x00\x03\x09" "a.example\x20\xc4", 4 + 12 + 16);
		end();
	}
}

static void socks_without_a_login(void **state)
{
	(void)state;
	script = (struct script){ 0 };
	LINE(0, "\x05\x00");
	LINE(1, GRANTED);
	want_got = 0;
	begin(false, NULL);
	go();
	assert_non_null(opened);
	end();
}

static void http_with_a_login_and_the_target_s_bytes_behind(void **state)
{
	(void)state;
	for (int slow = 0; slow < 2; slow++) {
		script = (struct script){ .byte_by_byte = slow };
		LINE(0, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n\r\n\r\nx");
		want_got = 5; /* blank lines of the target's own */
		begin(true, "joe");
		go();
		assert_non_null(opened);
		assert_int_equal(n_got, 5);
		assert_memory_equal(got, "\r\n\r\nx", 5);
		script.heard[script.n_heard] = 0;
		assert_non_null(strstr((char *)script.heard, "CONNECT a.example:8388 HTTP/1.1\r\n"));
		assert_non_null(strstr((char *)script.heard, "Proxy-Authorization: Basic am9lOnNlY3JldA==\r\n"));
		end();
	}
}

static void refusals(void **state)
{
	(void)state;
	script = (struct script){ 0 };
	LINE(0, "\x05\xff");
	expect_failure(false, NULL, END_DENIED);
	LINE(0, "\x05\x02"); /* a password, and we have none */
	script.next = 0;
	expect_failure(false, NULL, END_DENIED);
	LINE(1, "\x01\x01");
	script.next = 0;
	expect_failure(false, "joe", END_DENIED);
	LINE(0, "\x05\x00");
	LINE(1, "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00");
	script.next = 0;
	expect_failure(false, NULL, END_REFUSED);
	LINE(0, "HTTP/1.1 407 Who are you?\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n");
	script.next = 0;
	expect_failure(true, NULL, END_DENIED);
	LINE(0, "HTTP/1.1 502 Bad Gateway\r\n\r\n");
	script.next = 0;
	expect_failure(true, NULL, END_REFUSED);
}

static void what_is_no_proxy(void **state)
{
	(void)state;
	script = (struct script){ 0 };
	LINE(0, "SSH-2.0-OpenSSH_9.2\r\n");
	expect_failure(false, NULL, END_PROTOCOL);
	script.next = 0;
	script.hang_up = true;
	expect_failure(true, NULL, END_NO_REPLY);
	script = (struct script){ .silent = true };
	expect_failure(false, NULL, END_CONNECT_TIMEOUT);
}

static void a_dial_that_is_cancelled_says_nothing(void **state)
{
	struct dial *d;

	(void)state;
	script = (struct script){ .silent = true };
	d = begin(false, NULL);
	while (!script.n_heard) {
		loop_timer_start(&patience, 1, on_time);
		loop_run();
	}
	proxy->ops->cancel(d);
	loop_timer_start(&patience, 1200, on_time);
	loop_run();
	assert_int_equal(failed, -1);
	assert_null(opened);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(socks_with_a_login_and_the_target_s_bytes_behind),
		cmocka_unit_test(socks_without_a_login),
		cmocka_unit_test(http_with_a_login_and_the_target_s_bytes_behind),
		cmocka_unit_test(refusals),
		cmocka_unit_test(what_is_no_proxy),
		cmocka_unit_test(a_dial_that_is_cancelled_says_nothing),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
