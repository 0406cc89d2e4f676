/*
 * Two kernel sockets joined in the kernel: every byte arrives once and in order, whatever
 * mixture of pipe and copy carried it; readers that stall hold a bounded number of pipes; a FIN
 * comes after the last byte, a reset drops what is in between.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/tcp_socket.h"
#include "io/tcp_splice.h"
#include "loop/loop.h"

#define MANY 100
#define CHUNK 300000u
#define TURNS 200000

/* left app ── stream[0] ══ stream[1] ── right app */
struct pair {
	int app[2];
	struct stream *stream[2];
	size_t moved[2];
	uint32_t sent[2], got[2]; /* by and at each app */
	bool fin[2], want_data[2], want_room[2];
	int ended;
};

static struct pair *pairs;

static uint8_t pattern(int side, uint32_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) + (uint32_t)side * 77);
}

/* ---- what stands between, as the relay does ---- */

static void finish(struct pair *p, enum flow_end why)
{
	for (int i = 0; i < 2; i++) {
		if (p->stream[i])
			stream_end(p->stream[i], why);
		p->stream[i] = NULL;
	}
	p->ended = (int)why;
}

static void want(struct pair *p, int side)
{
	stream_want(p->stream[side], p->want_data[side], p->want_room[side]);
}

static size_t on_data(struct pair *p, int from, const struct slice *v, int n)
{
	ssize_t taken = stream_write(p->stream[!from], v, n);

	if (taken < 0)
		return 0;
	if ((size_t)taken < slices_len(v, n)) {
		p->want_data[from] = false;
		p->want_room[!from] = true;
		want(p, !from);
	}
	return (size_t)taken;
}

static void on_room(struct pair *p, int where)
{
	p->want_room[where] = false;
	p->want_data[!where] = !p->fin[!where];
	want(p, !where);
}

static void on_fin(struct pair *p, int from)
{
	p->fin[from] = true;
	if (p->fin[!from])
		finish(p, END_DONE);
	else
		stream_shut(p->stream[!from]);
}

static size_t data0(void *o, const struct slice *v, int n) { return on_data(o, 0, v, n); }
static size_t data1(void *o, const struct slice *v, int n) { return on_data(o, 1, v, n); }
static void room0(void *o) { on_room(o, 0); }
static void room1(void *o) { on_room(o, 1); }
static void fin0(void *o) { on_fin(o, 0); }
static void fin1(void *o) { on_fin(o, 1); }
static void ended(void *o, enum flow_end why) { finish(o, why); }
static void moved0(void *o, size_t n) { ((struct pair *)o)->moved[0] += n; }
static void moved1(void *o, size_t n) { ((struct pair *)o)->moved[1] += n; }
static const struct stream_events events[2] = { { data0, room0, fin0, ended }, { data1, room1, fin1, ended } };

/* ---- apps ---- */

/* Else a stalled reader is noticed late. */
static void small_buffers(int fd)
{
	int small = 128 * 1024;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
}

/* Two ends of a TCP connection over loopback, neither of which blocks. */
static void connection(int fd[2])
{
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(at);

	small_buffers(listener);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	small_buffers(fd[0]);
	assert_int_equal(connect(fd[0], (struct sockaddr *)&at, len), 0);
	fd[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(fd[1] >= 0);
	close(listener);
}

static void pair_open(struct pair *p)
{
	struct tcp_socket_options o = { .reset_on_death = true };

	*p = (struct pair){ .ended = -1 };
	for (int i = 0; i < 2; i++) {
		int fd[2];

		connection(fd);
		p->app[i] = fd[0];
		tcp_socket_set_options(fd[1], &o);
		p->stream[i] = tcp_socket_new(fd[1], &o);
		stream_bind(p->stream[i], &events[i], p);
	}
	tcp_splice_join(p->stream[0], moved0, p->stream[1], moved1);
	for (int i = 0; i < 2; i++) {
		p->want_data[i] = true;
		want(p, i);
	}
}

/* As much as goes, up to `total`; then FIN, once. */
static void app_send(struct pair *p, int side, uint32_t total)
{
	static uint8_t block[CHUNK];

	while (p->sent[side] < total) {
		uint32_t len = total - p->sent[side] < CHUNK ? total - p->sent[side] : CHUNK;
		ssize_t n;

		for (uint32_t i = 0; i < len; i++)
			block[i] = pattern(side, p->sent[side] + i);
		n = send(p->app[side], block, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n <= 0)
			return;
		p->sent[side] += (uint32_t)n;
		if (p->sent[side] == total)
			shutdown(p->app[side], SHUT_WR);
	}
}

/* What is there; true at the end of the stream. */
static bool app_receive(struct pair *p, int side)
{
	static uint8_t block[CHUNK];
	ssize_t n;

	while ((n = recv(p->app[side], block, sizeof(block), MSG_DONTWAIT)) > 0)
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(block[i], pattern(!side, p->got[side]++));
	return n == 0;
}

static int set_up(void **state)
{
	(void)state;
	pairs = calloc(MANY, sizeof(*pairs));
	return loop_init();
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < MANY; i++) {
		finish(&pairs[i], END_SHUTDOWN);
		for (int k = 0; k < 2 && pairs[i].app[k]; k++)
			close(pairs[i].app[k]);
	}
	loop_turn();
	assert_int_equal(tcp_splice_waiting(), 0);
	loop_free();
	free(pairs);
	return 0;
}

/* ---- */

static void both_ways_at_once(void **state)
{
	const uint32_t total = 24u << 20;
	struct pair *p = &pairs[0];
	bool end[2] = { false, false };

	(void)state;
	pair_open(p);
	for (int turn = 0; turn < TURNS && !(end[0] && end[1]); turn++) {
		for (int i = 0; i < 2; i++) {
			app_send(p, i, total);
			if (!end[i])
				end[i] = app_receive(p, i);
		}
		loop_turn();
	}
	assert_int_equal(p->got[0], total);
	assert_int_equal(p->got[1], total);
	assert_int_equal(p->ended, END_DONE);
	assert_true(p->moved[0] > total / 2 && p->moved[1] > total / 2);
	assert_true(tcp_splice_pipes() > 0);
}

/* Small messages are not worth a pipe, and must not be held up by one. */
static void small_ones_come_at_once(void **state)
{
	struct pair *p = &pairs[0];

	(void)state;
	pair_open(p);
	for (uint32_t i = 0; i < 1000; i++) {
		uint8_t byte = pattern(0, i);

		assert_int_equal(send(p->app[0], &byte, 1, 0), 1);
		for (int turn = 0; turn < TURNS && p->got[1] == i; turn++) {
			loop_turn();
			app_receive(p, 1);
		}
		assert_int_equal(p->got[1], i + 1);
	}
	assert_int_equal(p->moved[0], 0);
}

static void stalled_readers_hold_few_pipes(void **state)
{
	const uint32_t total = 3u << 20;
	int done = 0;

	(void)state;
	for (int i = 0; i < MANY; i++)
		pair_open(&pairs[i]);
	for (int turn = 0; turn < 60; turn++) {
		for (int i = 0; i < MANY; i++)
			app_send(&pairs[i], 0, total);
		loop_turn();
		assert_true(tcp_splice_waiting() <= 64);
	}
	assert_true(tcp_splice_waiting() > 0);
	for (int i = 0; i < MANY; i++)
		assert_true(pairs[i].sent[0] < total);
	for (int turn = 0; turn < TURNS && done < MANY; turn++) {
		done = 0;
		for (int i = 0; i < MANY; i++) {
			app_send(&pairs[i], 0, total);
			done += app_receive(&pairs[i], 1);
		}
		loop_turn();
	}
	for (int i = 0; i < MANY; i++)
		assert_int_equal(pairs[i].got[1], total);
	assert_int_equal(tcp_splice_waiting(), 0);
}

static void a_reset_drops_what_is_between(void **state)
{
	struct linger reset = { 1, 0 };
	struct pair *p = &pairs[0];

	(void)state;
	pair_open(p);
	for (int turn = 0; turn < 50; turn++) {
		app_send(p, 0, 64u << 20);
		loop_turn();
	}
	assert_int_equal(p->ended, -1);
	setsockopt(p->app[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(p->app[1]);
	p->app[1] = 0;
	for (int turn = 0; turn < TURNS && p->ended < 0; turn++)
		loop_turn();
	assert_int_equal(p->ended, END_REMOTE_RESET);
	loop_turn();
	assert_int_equal(tcp_splice_waiting(), 0);
	assert_int_equal(send(p->app[0], "x", 1, MSG_NOSIGNAL), -1);
}

/* As without us between: who reads late gets what was sent, and then the reset. */
static void a_reset_comes_after_what_was_read_before_it(void **state)
{
	struct linger reset = { 1, 0 };
	struct pair *p = &pairs[0];

	(void)state;
	pair_open(p);
	for (int turn = 0; turn < 50; turn++) {
		app_send(p, 0, 64u << 20);
		loop_turn();
	}
	assert_int_equal(p->ended, -1);
	assert_true(p->moved[0] > 0);
	setsockopt(p->app[0], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(p->app[0]);
	p->app[0] = 0;
	for (int turn = 0; turn < TURNS && p->ended < 0; turn++) {
		assert_false(app_receive(p, 1));
		loop_turn();
	}
	assert_int_equal(p->ended, END_REMOTE_RESET);
	assert_true(p->got[1] >= p->moved[0] / 2 && p->got[1] > 0);
	while (!app_receive(p, 1) && errno == EAGAIN)
		loop_turn();
	assert_int_equal(errno, ECONNRESET);
	close(p->app[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_ways_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(small_ones_come_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stalled_readers_hold_few_pipes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_reset_comes_after_what_was_read_before_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_reset_drops_what_is_between, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
