/*
 * What lies between a supervisor and its workers: words with descriptors, questions
 * and answers by number, kept descriptors, sums, and a child that keeps nothing
 * but its own.
 */
#include "udp_helpers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "engine/keeper.h"
#include "engine/status.h"
#include "engine/worker_link.h"
#include "engine/worker_shared.h"
#include "engine/worker_words.h"
#include "supervisor/worker_sum.h"
#include "sys/fds.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void words_carry_a_descriptor(void **state)
{
	struct worker_message m = { .word = WORKER_LISTENS, .type = SOCK_STREAM, .at = loopback4(8388) }, got;
	int pair[2], ends[2], fd = 0;
	char byte = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(worker_words_receive(pair[0], &got, &fd), 0);
	assert_int_equal(fd, -1);
	assert_int_equal(worker_words_send(pair[1], &m, ends[1]), 0);
	m.word = WORKER_READY;
	assert_int_equal(worker_words_send(pair[1], &m, -1), 0);

	assert_int_equal(worker_words_receive(pair[0], &got, &fd), 1);
	assert_int_equal(got.word, WORKER_LISTENS);
	assert_true(addr_equal(&got.at, &m.at));
	assert_true(fd >= 0 && fd != ends[1]);
	assert_int_equal(write(fd, "x", 1), 1); /* it is the pipe */
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(fd);
	assert_int_equal(worker_words_receive(pair[0], &got, &fd), 1);
	assert_int_equal(got.word, WORKER_READY);
	assert_int_equal(fd, -1);

	assert_int_equal(write(pair[1], "what", 4), 4);
	assert_int_equal(worker_words_receive(pair[0], &got, &fd), -EPROTO);
	close(pair[1]);
	assert_int_equal(worker_words_receive(pair[0], &got, &fd), -EPIPE);
	close(pair[0]);
	close(ends[0]);
	close(ends[1]);
}

/* ---- questions ---- */

static json_t *answer_echo(void *owner, const json_t *request)
{
	(void)owner;
	return json_deep_copy(request);
}

/* Longer than the supervisor's patience. */
static json_t *answer_late(void *owner, const json_t *request)
{
	(void)owner, (void)request;
	usleep(2500000);
	return json_pack("{s:s}", "answer", "too late");
}

static void serve(int fd)
{
	if (loop_init() < 0)
		_exit(1);
	engine_status_begin();
	engine_request_add("echo", answer_echo, NULL);
	engine_request_add("late", answer_late, NULL);
	if (worker_link_serve(fd) == 0)
		loop_run(); /* until the other end is closed */
	_exit(0);
}

static json_t *request_of(const char *name, size_t padding)
{
	char *text = calloc(padding + 1, 1);
	json_t *request;

	memset(text, 'a', padding);
	request = json_pack("{s:s, s:s}", "request", name, "padding", text);
	free(text);
	assert_non_null(request);
	return request;
}

static void expect_echo(int fd, size_t padding)
{
	json_t *request = request_of("echo", padding), *answer = worker_link_ask(fd, request, NULL);

	assert_true(answer && json_equal(answer, request));
	json_decref(answer);
	json_decref(request);
}

static void a_question_has_its_own_answer(void **state)
{
	json_t *late = request_of("late", 0);
	int pair[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (!pid) {
		close(pair[0]);
		serve(pair[1]);
	}
	close(pair[1]);
	for (size_t padding = 0; padding < 2000000; padding = padding * 5 + 1)
		expect_echo(pair[0], padding); /* longer than any socket buffer, too */
	assert_null(worker_link_ask(pair[0], late, NULL));
	expect_echo(pair[0], 10); /* and not the answer that comes now */
	expect_echo(pair[0], 10);
	close(pair[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid); /* without a supervisor a worker ends */
	assert_int_equal(status, 0);
	json_decref(late);
}

static void a_dead_worker_gives_no_answer(void **state)
{
	json_t *request = request_of("echo", 100000);
	int pair[2];
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (!pid) {
		close(pair[0]);
		usleep(200000);
		_exit(0);
	}
	close(pair[1]);
	assert_null(worker_link_ask(pair[0], request, NULL));
	waitpid(pid, NULL, 0);
	assert_null(worker_link_ask(pair[0], request, NULL));
	close(pair[0]);
	json_decref(request);
}

/* ---- the rest ---- */

static int null_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void a_keeper_keeps_one_of_each(void **state)
{
	struct addr port0 = loopback4(1000), port3 = loopback4(1003), port20 = loopback4(1020);
	struct keeper k = { 0 };
	int fds[40];

	(void)state;
	for (int i = 0; i < 40; i++) {
		struct addr at = loopback4((uint16_t)(1000 + i / 2));

		fds[i] = null_fd();
		keeper_put(&k, i % 2 ? SOCK_STREAM : SOCK_DGRAM, &at, fds[i]);
	}
	assert_int_equal(k.n, 40);
	assert_int_equal(keeper_find(&k, SOCK_STREAM, &port3)->fd, fds[7]);
	assert_null(keeper_find(&k, SOCK_STREAM, &port20));

	keeper_put(&k, SOCK_STREAM, &port3, null_fd());
	assert_int_equal(k.n, 40);
	assert_false(is_open(fds[7]) && keeper_find(&k, SOCK_STREAM, &port3)->fd != fds[7]);
	keeper_drop(&k, SOCK_DGRAM, &port0);
	assert_false(is_open(fds[0]));
	assert_null(keeper_find(&k, SOCK_DGRAM, &port0));
	assert_int_equal(k.n, 39);
	keeper_clear(&k);
	for (int i = 0; i < 40; i++)
		assert_false(is_open(fds[i]));
}

static void what_a_worker_counted_is_added_but_what_stood_is_not(void **state)
{
	struct worker_shared *s = worker_shared_new(2);

	(void)state;
	assert_non_null(s);
	flow_counters_reset();
	for (int i = 0; i < 2; i++) {
		s->counters[i].tcp.flows_opened = 10;
		s->counters[i].tcp.flows_active = 3;
		s->counters[i].tcp.ended[END_DONE] = 7;
		s->counters[i].udp.dropped_replay = 2;
		worker_sum_take(s, i);
		worker_sum_take(s, i); /* twice is once */
	}
	assert_int_equal(flow_counters.tcp.flows_opened, 20);
	assert_int_equal(flow_counters.tcp.flows_active, 0);
	assert_int_equal(flow_counters.tcp.ended[END_DONE], 14);
	assert_int_equal(flow_counters.udp.dropped_replay, 4);
	worker_shared_free(s);
	flow_counters_reset();
}

static void a_child_keeps_its_own_descriptors_alone(void **state)
{
	int fds[20], keep[3], status;
	pid_t pid;

	(void)state;
	for (int i = 0; i < 20; i++)
		fds[i] = null_fd();
	pid = fork();
	if (!pid) {
		memcpy(keep, (int[]){ fds[12], fds[3], fds[4] }, sizeof(keep));
		if (sys_fds_close_but(keep, 3) != 0)
			_exit(2);
		for (int i = 0; i < 20; i++)
			if (is_open(fds[i]) != (i == 3 || i == 4 || i == 12))
				_exit(3);
		_exit(is_open(0) && is_open(1) && is_open(2) ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < 20; i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_carry_a_descriptor),
		cmocka_unit_test(a_question_has_its_own_answer),
		cmocka_unit_test(a_dead_worker_gives_no_answer),
		cmocka_unit_test(a_keeper_keeps_one_of_each),
		cmocka_unit_test(what_a_worker_counted_is_added_but_what_stood_is_not),
		cmocka_unit_test(a_child_keeps_its_own_descriptors_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
