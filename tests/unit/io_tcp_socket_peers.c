/*
 * Kernel TCP streams against peers that the kernel itself is: a sender that
 * never pauses is not read for longer than a turn, urgent data does not hide
 * what follows, a connect that fails at once is not a connection.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/tcp_socket.h"
#include "loop/loop.h"

#define HOG_TOTAL (48u << 20)
#define TURN_MAX (2u << 20) /* several times what one turn may take */

static struct tcp_listener *listener;
static struct stream *accepted, *dialed;
static size_t got, turn_got, turn_most;
static bool ended, slow_owner;
static struct loop_work again;
static struct loop_timer timer, limit;
static int connect_err, connects;

static void want_again(struct loop_work *w)
{
	(void)w;
	if (!ended)
		stream_want(accepted, true, false);
}

/* A slow owner takes half of what it is offered, and wants the rest at once. */
static size_t on_data(void *owner, const struct slice *v, int n)
{
	size_t len = slices_len(v, n);

	(void)owner;
	if (slow_owner && len > 1) {
		len /= 2;
		loop_defer(&again, want_again);
	}
	got += len;
	turn_got += len;
	return len;
}

static void on_room(void *owner) { (void)owner; }

static void on_fin(void *owner)
{
	(void)owner;
	ended = true;
}

static void on_ended(void *owner, enum flow_end why)
{
	(void)owner, (void)why;
	ended = true;
}

static const struct stream_events events = { on_data, on_room, on_fin, on_ended };

static void on_accepted(void *owner, struct stream *s, const struct addr *from)
{
	(void)owner, (void)from;
	accepted = s;
	stream_bind(s, &events, NULL);
}

static const struct tcp_listener_events listener_events = { on_accepted };

static void on_limit(struct loop_timer *t)
{
	(void)t;
	ended = true;
}

static int set_up(void **state)
{
	struct addr a = addr_v4((const uint8_t[]){ 127, 0, 0, 1 }, 0);
	struct tcp_socket_options o = { 0 };
	int err;

	(void)state;
	assert_int_equal(loop_init(), 0);
	listener = tcp_listener_new(&a, &o, &listener_events, NULL, &err);
	assert_non_null(listener);
	accepted = dialed = NULL;
	got = turn_got = turn_most = 0;
	ended = slow_owner = false;
	connect_err = connects = 0;
	loop_timer_start(&limit, 20000, on_limit);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_timer_stop(&limit);
	if (accepted)
		stream_end(accepted, END_DONE);
	if (dialed)
		stream_end(dialed, END_DONE);
	tcp_listener_free(listener);
	loop_turn();
	loop_free();
	return 0;
}

/* A blocking socket of the kernel's own, connected to the listener. */
static int connect_peer(void)
{
	struct addr a = tcp_listener_addr(listener);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&a, &ss);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

static void *send_for_ever(void *arg)
{
	static const uint8_t block[1 << 16];
	int fd = *(int *)arg;

	for (size_t sent = 0; sent < HOG_TOTAL;) {
		ssize_t n = send(fd, block, sizeof(block), MSG_NOSIGNAL);

		if (n < 0)
			break;
		sent += (size_t)n;
	}
	shutdown(fd, SHUT_WR);
	return NULL;
}

static void others_are_heard(void **state)
{
	pthread_t thread;
	int fd = connect_peer();

	(void)state;
	slow_owner = true;
	while (!accepted)
		loop_turn();
	assert_int_equal(pthread_create(&thread, NULL, send_for_ever, &fd), 0);
	stream_want(accepted, true, false);
	while (!ended) {
		turn_got = 0;
		loop_turn();
		if (turn_got > turn_most)
			turn_most = turn_got;
	}
	shutdown(fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(fd);
	assert_int_equal(got, HOG_TOTAL);
	assert_in_range(turn_most, 1, TURN_MAX);
}

static void urgent_data_hides_nothing(void **state)
{
	uint8_t block[1000] = { 0 };
	int fd = connect_peer();

	(void)state;
	assert_int_equal(send(fd, block, sizeof(block), 0), sizeof(block));
	assert_int_equal(send(fd, block, 1, MSG_OOB), 1);
	assert_int_equal(send(fd, block, sizeof(block), 0), sizeof(block));
	while (!accepted)
		loop_turn();
	stream_want(accepted, true, false);
	loop_timer_start(&limit, 2000, on_limit);
	while (!ended && got < 2001)
		loop_turn();
	close(fd);
	assert_int_equal(got, 2001); /* the urgent byte is one of the stream's */
}

static void on_connected(void *owner, struct stream *s)
{
	(void)owner, (void)s;
	connects++;
	loop_stop();
}

static void on_failed(void *owner, struct stream *s, int err)
{
	(void)owner, (void)s;
	connect_err = err;
	loop_stop();
}

static const struct tcp_connect_events connect_events = { on_connected, on_failed };

static void connect_nowhere(struct loop_timer *t)
{
	/* TCP to the broadcast address: the kernel says no before anything leaves. */
	struct addr a = addr_v4((const uint8_t[]){ 255, 255, 255, 255 }, 9);
	struct tcp_socket_options o = { 0 };
	int err;

	(void)t;
	dialed = tcp_socket_connect(&a, &o, &connect_events, NULL, &err);
	assert_non_null(dialed);
}

static void failed_at_once_is_failed(void **state)
{
	int fd = connect_peer();

	(void)state;
	/* The client that waits makes the sockets' events come in the timer's turn, after it. */
	loop_timer_start(&timer, 0, connect_nowhere);
	loop_run();
	close(fd);
	assert_int_equal(connects, 0);
	assert_true(connect_err > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(others_are_heard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(urgent_data_hides_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failed_at_once_is_failed, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
