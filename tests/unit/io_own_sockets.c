/* Ends of sockets of ours are known while they live, and nobody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "io/own_sockets.h"

static struct own_sockets *all;

static struct addr at(const char *text, uint16_t port)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(text, port, &a), 0);
	return a;
}

static int bound(int type, const char *text)
{
	struct addr a = at(text, 0);
	struct sockaddr_storage ss;
	int fd = socket(a.family, type | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&ss, addr_to_sockaddr(&a, &ss)), 0);
	return fd;
}

static void nothing_is_kept_unasked(void **state)
{
	struct own_socket o = { 0 };
	struct addr peer = at("192.0.2.7", 443), self;
	int fd = bound(SOCK_STREAM, "127.0.0.1");

	(void)state;
	self = addr_of_socket(fd);
	own_socket_add(&o, SOCK_STREAM, fd, &peer);
	assert_false(own_sockets_know(SOCK_STREAM, &self, &peer));
	own_socket_remove(&o);
	close(fd);
}

static void a_stream_is_known_by_both_ends(void **state)
{
	struct own_socket o = { 0 };
	struct addr peer = at("192.0.2.7", 443), other = at("192.0.2.7", 444), self;
	int fd = bound(SOCK_STREAM, "127.0.0.1");

	(void)state;
	own_sockets_join(all, 1);
	self = addr_of_socket(fd);
	own_socket_add(&o, SOCK_STREAM, fd, &peer);
	assert_true(own_sockets_know(SOCK_STREAM, &self, &peer));
	assert_false(own_sockets_know(SOCK_STREAM, &self, &other));
	assert_false(own_sockets_know(SOCK_STREAM, &peer, &self));
	assert_false(own_sockets_know(SOCK_DGRAM, &self, NULL));
	own_socket_remove(&o);
	own_socket_remove(&o);
	assert_false(own_sockets_know(SOCK_STREAM, &self, &peer));
	close(fd);
}

static void those_of_another_process_are_known(void **state)
{
	struct own_socket o = { 0 };
	struct addr peer = at("192.0.2.7", 443), self;
	int fd = bound(SOCK_STREAM, "127.0.0.1");

	(void)state;
	self = addr_of_socket(fd);
	own_sockets_join(all, 2);
	own_socket_add(&o, SOCK_STREAM, fd, &peer);
	own_sockets_join(all, 0);
	assert_true(own_sockets_know(SOCK_STREAM, &self, &peer));
	own_sockets_join(all, 2); /* it lives again */
	assert_false(own_sockets_know(SOCK_STREAM, &self, &peer));
	own_sockets_join(all, 1);
	close(fd);
}

/* More than there is room for: none is mistaken, and each leaves its place. */
static void a_table_may_be_full(void **state)
{
	static struct own_socket o[20000];
	struct addr peer = at("192.0.2.7", 443), self;
	int fd = bound(SOCK_STREAM, "127.0.0.1"), kept = 0;

	(void)state;
	self = addr_of_socket(fd);
	for (int i = 0; i < 20000; i++) {
		peer.port = (uint16_t)(i + 1);
		own_socket_add(&o[i], SOCK_STREAM, fd, &peer);
		kept += o[i].mark != 0;
	}
	assert_in_range(kept, 12000, 16384);
	for (int i = 0; i < 20000; i++)
		own_socket_remove(&o[i]);
	for (int i = 0; i < 20000; i++) {
		peer.port = (uint16_t)(i + 1);
		assert_false(own_sockets_know(SOCK_STREAM, &self, &peer));
	}
	close(fd);
}

static void datagrams_are_known_by_their_source(void **state)
{
	struct own_socket o = { 0 }, any = { 0 };
	int fd = bound(SOCK_DGRAM, "127.0.0.1"), any_fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct addr self = addr_of_socket(fd), elsewhere = self, here;

	(void)state;
	own_socket_add(&o, SOCK_DGRAM, fd, NULL);
	assert_true(own_sockets_know(SOCK_DGRAM, &self, NULL));
	elsewhere = at("127.0.0.2", self.port);
	assert_false(own_sockets_know(SOCK_DGRAM, &elsewhere, NULL));
	/* One that has sent nothing yet has no port: it gets one. */
	own_socket_add(&any, SOCK_DGRAM, any_fd, NULL);
	here = addr_of_socket(any_fd);
	assert_int_not_equal(here.port, 0);
	elsewhere = at("10.1.2.3", here.port);
	assert_true(own_sockets_know(SOCK_DGRAM, &elsewhere, NULL));
	own_socket_remove(&any);
	assert_false(own_sockets_know(SOCK_DGRAM, &elsewhere, NULL));
	own_socket_remove(&o);
	close(fd);
	close(any_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_kept_unasked),
		cmocka_unit_test(a_stream_is_known_by_both_ends),
		cmocka_unit_test(those_of_another_process_are_known),
		cmocka_unit_test(a_table_may_be_full),
		cmocka_unit_test(datagrams_are_known_by_their_source),
	};

	int failed;

	all = own_sockets_new(3);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	own_sockets_join(NULL, 0);
	own_sockets_free(all);
	return failed;
}
