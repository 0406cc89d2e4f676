/* Limits of paths: by address whatever the port, with a number that tells of changes; and who is told of suspicions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/tcp.h>
#include <unistd.h>

#include "io/path.h"
#include "io/tcp_socket.h"
#include "loop/loop.h"

static int changes, heard;
static struct addr heard_of;

static void on_change(void)
{
	changes++;
}

static void on_heard(struct path_listener *l, const struct addr *peer)
{
	(void)l;
	heard++;
	heard_of = peer ? *peer : (struct addr){ 0 };
}

static struct addr at(const char *ip, uint16_t port)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(ip, port, &a), 0);
	return a;
}

static void a_limit_is_a_host_s(void **state)
{
	struct addr a = at("192.0.2.1", 80), same = at("192.0.2.1", 443), other = at("2001:db8::1", 80);
	uint32_t before = path_number;

	(void)state;
	changes = 0;
	path_on_change(on_change);
	assert_int_equal(path_limit(&a), 0);
	path_set_limit(&a, 1400);
	assert_int_equal(path_limit(&same), 1400);
	assert_int_equal(path_limit(&other), 0);
	assert_int_equal(path_number, before + 1);
	path_set_limit(&same, 1400);
	path_set_limit(&other, 0);
	assert_int_equal(changes, 1);
	path_set_limit(&a, 1300);
	path_set_limit(&other, 1280);
	assert_int_equal(path_limit(&a), 1300);
	path_set_limit(&a, 0);
	assert_int_equal(path_limit(&a), 0);
	assert_int_equal(changes, 4);
	path_forget_all();
	assert_int_equal(path_limit(&other), 0);
	path_on_change(NULL);
}

static void use_is_noted_until_asked(void **state)
{
	struct addr a = at("192.0.2.1", 0);

	(void)state;
	assert_false(path_was_used(&a));
	assert_int_equal(path_limit_to_use(&a), 0);
	path_set_limit(&a, 1400);
	assert_false(path_was_used(&a));
	assert_int_equal(path_limit(&a), 1400);
	assert_false(path_was_used(&a));
	assert_int_equal(path_limit_to_use(&a), 1400);
	assert_true(path_was_used(&a));
	assert_false(path_was_used(&a));
	path_forget_all();
}

static void listeners_hear_until_they_do_not_listen(void **state)
{
	struct path_listener one = { 0 }, two = { 0 };
	struct addr a = at("192.0.2.1", 80);

	(void)state;
	heard = 0;
	path_tell(&a);
	path_listen(&one, on_heard);
	path_listen(&two, on_heard);
	path_tell(&a);
	assert_int_equal(heard, 2);
	assert_true(addr_equal(&heard_of, &a));
	path_unlisten(&one);
	path_unlisten(&one);
	path_tell(NULL);
	assert_int_equal(heard, 3);
	assert_int_equal(heard_of.family, 0);
	path_unlisten(&two);
}

static void on_connected(void *owner, struct stream *s)
{
	(void)owner, (void)s;
	loop_stop();
}

static void on_failed(void *owner, struct stream *s, int err)
{
	(void)s;
	*(int *)owner = err;
	loop_stop();
}

static const struct tcp_connect_events connect_events = { on_connected, on_failed };

/* The peer learns it from the SYN: what comes is as short as what goes. */
static void a_connection_keeps_to_the_limit(const char *ip, int headers)
{
	struct addr a = at(ip, 0);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&a, &ss);
	int listener = socket(a.family, SOCK_STREAM, 0), accepted, segment = 0, err = 0;
	struct tcp_socket_options options = { 0 };
	struct stream *s;

	assert_int_equal(bind(listener, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	a = addr_of_socket(listener);
	path_set_limit(&a, 1400);
	s = tcp_socket_connect(&a, &options, &connect_events, &err, &err);
	assert_non_null(s);
	loop_run();
	assert_int_equal(err, 0);
	accepted = accept(listener, NULL, NULL);
	len = sizeof(segment);
	assert_int_equal(getsockopt(accepted, IPPROTO_TCP, TCP_MAXSEG, &segment, &len), 0);
	assert_in_range(segment, 1400 - headers - 12, 1400 - headers);
	stream_end(s, END_DONE);
	loop_turn();
	close(accepted);
	close(listener);
	path_forget_all();
}

static void tcp_keeps_to_it(void **state)
{
	(void)state;
	assert_int_equal(loop_init(), 0);
	a_connection_keeps_to_the_limit("127.0.0.1", 40);
	a_connection_keeps_to_the_limit("::1", 60);
	loop_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_limit_is_a_host_s),
		cmocka_unit_test(use_is_noted_until_asked),
		cmocka_unit_test(listeners_hear_until_they_do_not_listen),
		cmocka_unit_test(tcp_keeps_to_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
