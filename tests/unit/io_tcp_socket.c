/*
 * Kernel TCP streams over loopback: every byte arrives once and in order under
 * back-pressure, half-close works, a reset is a reset, a refused connect says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "io/tcp_socket.h"
#include "loop/loop.h"

#define TOTAL (8u << 20)

/* One end: sends `to_send` bytes of a known sequence, checks what comes. */
struct end {
	struct stream *s;
	uint32_t to_send, sent, got, take; /* take: bytes accepted per data event */
	bool fin, shut_after, resume;
	int ended;
	struct loop_timer timer;
};

static struct end client, server;
static int connect_err;
static struct tcp_listener *listener;

static uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i * 31 + (i >> 8));
}

static void maybe_stop(void)
{
	bool sent = client.sent == client.to_send && server.sent == server.to_send;

	if (client.ended >= 0 || server.ended >= 0 || (sent && client.fin && server.fin))
		loop_stop();
}

static void pump(struct end *e)
{
	while (e->sent < e->to_send) {
		struct buf *b = buf_get(BUF_MEDIUM);
		struct slice s = { b, 0, BUF_MEDIUM };
		ssize_t n;

		if (s.len > e->to_send - e->sent)
			s.len = e->to_send - e->sent;
		for (uint32_t i = 0; i < s.len; i++)
			b->data[i] = pattern(e->sent + i);
		n = stream_write(e->s, &s, 1);
		buf_unref(b);
		if (n < 0)
			return;
		e->sent += (uint32_t)n;
		if ((uint32_t)n < s.len) {
			stream_want(e->s, true, true);
			return;
		}
	}
	if (e->shut_after)
		stream_shut(e->s);
}

static void resume(struct loop_timer *t)
{
	struct end *e = container_of(t, struct end, timer);

	if (e->s && e->ended < 0)
		stream_want(e->s, true, e->sent < e->to_send);
}

static size_t on_data(void *owner, const struct slice *v, int n)
{
	struct end *e = owner;
	size_t taken = 0;

	for (int k = 0; k < n; k++)
		for (uint32_t i = 0; i < v[k].len && (!e->take || taken < e->take); i++, taken++)
			assert_int_equal(slice_data(&v[k])[i], pattern(e->got++));
	if (taken < slices_len(v, n))
		loop_timer_start(&e->timer, 1, resume);
	return taken;
}

static void on_room(void *owner) { pump(owner); }

static void on_fin(void *owner)
{
	((struct end *)owner)->fin = true;
	if (owner == &server && !server.shut_after) { /* answer after the client's FIN */
		server.shut_after = true;
		pump(&server);
	}
	maybe_stop();
}

static void on_ended(void *owner, enum flow_end why)
{
	((struct end *)owner)->ended = (int)why;
	maybe_stop();
}

static const struct stream_events events = { on_data, on_room, on_fin, on_ended };

static void start(struct end *e, struct stream *s)
{
	e->s = s;
	stream_bind(s, &events, e);
	stream_want(s, true, false);
}

static void on_accepted(void *owner, struct stream *s, const struct addr *from)
{
	(void)owner, (void)from;
	start(&server, s);
}

static void on_connected(void *owner, struct stream *s)
{
	(void)owner;
	start(&client, s);
	pump(&client);
}

static void on_failed(void *owner, struct stream *s, int err)
{
	(void)owner;
	connect_err = err;
	stream_end(s, END_DONE);
	loop_stop();
}

static const struct tcp_listener_events listener_events = { on_accepted };
static const struct tcp_connect_events connect_events = { on_connected, on_failed };

static void connect_to(const struct addr *a)
{
	struct tcp_socket_options o = { .reset_on_death = true };
	int err;

	assert_non_null(tcp_socket_connect(a, &o, &connect_events, NULL, &err));
}

static int set_up(void **state)
{
	struct tcp_socket_options o = { 0 };
	struct addr any;
	int err;

	(void)state;
	client = (struct end){ .ended = -1 };
	server = (struct end){ .ended = -1 };
	assert_int_equal(loop_init(), 0);
	addr_parse_ip("127.0.0.1", 0, &any);
	listener = tcp_listener_new(&any, &o, &listener_events, NULL, &err);
	assert_non_null(listener);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_timer_stop(&client.timer);
	loop_timer_stop(&server.timer);
	if (client.s)
		stream_end(client.s, END_DONE);
	if (server.s)
		stream_end(server.s, END_DONE);
	tcp_listener_free(listener);
	loop_turn();
	loop_free();
	return 0;
}

static void answer_after_fin(void **state)
{
	struct addr a = tcp_listener_addr(listener);

	(void)state;
	client.to_send = server.to_send = TOTAL;
	client.shut_after = true;
	server.take = 100000; /* a reader that takes a part, and then pauses */
	connect_to(&a);
	loop_run();
	assert_int_equal(client.ended, -1);
	assert_int_equal(server.ended, -1);
	assert_int_equal(server.got, TOTAL);
	assert_int_equal(client.got, TOTAL);
}

static void on_abort(struct loop_timer *t)
{
	(void)t;
	stream_end(server.s, END_REMOTE_RESET);
	server.s = NULL;
}

static void reset_is_a_reset(void **state)
{
	struct addr a = tcp_listener_addr(listener);

	(void)state;
	client.to_send = 1000;
	connect_to(&a);
	loop_timer_start(&server.timer, 20, on_abort);
	loop_run();
	assert_int_equal(client.ended, END_REMOTE_RESET);
	assert_false(client.fin);
}

static void refused_is_refused(void **state)
{
	struct addr a = tcp_listener_addr(listener);

	(void)state;
	a.port = 1;
	connect_to(&a);
	loop_run();
	assert_int_equal(connect_err, ECONNREFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answer_after_fin, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reset_is_a_reset, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused_is_refused, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
