/* Rules onto real sockets over loopback: what must hold does or is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/socket_rules.h"

static int get(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void no_rules_make_a_plain_socket(void **state)
{
	int fd = socket_rules_open(AF_INET, SOCK_STREAM, NULL);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(get(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(get(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	assert_int_equal(socket_rules_bind(fd, AF_INET, NULL), 0);
	close(fd);
}

static void a_connection_leaves_from_its_source(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET }, from;
	struct socket_rules r = { 0 };
	socklen_t len = sizeof(to);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;

	(void)state;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&to, &len);
	assert_int_equal(addr_parse_ip("127.0.0.9", 0, &r.source4), 0);
	fd = socket_rules_open(AF_INET, SOCK_STREAM, &r);
	assert_true(fd >= 0);
	assert_int_equal(socket_rules_bind(fd, AF_INET, &r), 0);
	assert_true(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS);
	len = sizeof(from);
	getsockname(fd, (struct sockaddr *)&from, &len);
	assert_int_equal(ntohl(from.sin_addr.s_addr), 0x7f000009);
	assert_true(from.sin_port != 0);
	close(fd);
	close(listener);
}

static void a_source_that_is_not_ours_is_refused(void **state)
{
	struct socket_rules r = { 0 };
	int fd;

	(void)state;
	assert_int_equal(addr_parse_ip("192.0.2.77", 0, &r.source4), 0);
	fd = socket_rules_open(AF_INET, SOCK_DGRAM, &r);
	assert_true(fd >= 0);
	assert_int_equal(socket_rules_bind(fd, AF_INET, &r), -EADDRNOTAVAIL);
	assert_int_equal(socket_rules_apply(fd, &r), -EADDRNOTAVAIL);
	/* the other family is not asked for anything */
	assert_int_equal(socket_rules_bind(fd, AF_INET6, &r), 0);
	close(fd);
}

static void a_device_must_exist(void **state)
{
	struct socket_rules r = { .device = "lo" };
	char name[IFNAMSIZ] = "";
	socklen_t len = sizeof(name);
	int fd = socket_rules_open(AF_INET, SOCK_DGRAM, &r);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len), 0);
	assert_string_equal(name, "lo");
	close(fd);
	strcpy(r.device, "no-such-link");
	assert_int_equal(socket_rules_open(AF_INET, SOCK_DGRAM, &r), -ENODEV);
}

static void wishes_are_set(void **state)
{
	struct socket_rules r = { .send_buffer = 50000, .receive_buffer = 60000, .keepalive_s = 77, .fast_open = true };
	int fd = socket_rules_open(AF_INET, SOCK_STREAM, &r);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(get(fd, SOL_SOCKET, SO_SNDBUF), 100000); /* the kernel doubles it (socket(7)) */
	assert_int_equal(get(fd, SOL_SOCKET, SO_RCVBUF), 120000);
	assert_int_equal(get(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(get(fd, IPPROTO_TCP, TCP_KEEPIDLE), 77);
	assert_true(get(fd, IPPROTO_TCP, TCP_FASTOPEN) > 0);
	close(fd);
}

/* Whether or not this kernel has it, there is a socket. */
static void multipath_falls_back(void **state)
{
	struct socket_rules r = { .mptcp = true };
	int fd = socket_rules_open(AF_INET, SOCK_STREAM, &r), protocol;

	(void)state;
	assert_true(fd >= 0);
	protocol = get(fd, SOL_SOCKET, SO_PROTOCOL);
	assert_true(protocol == IPPROTO_TCP || protocol == 262);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_rules_make_a_plain_socket),
		cmocka_unit_test(a_connection_leaves_from_its_source),
		cmocka_unit_test(a_source_that_is_not_ours_is_refused),
		cmocka_unit_test(a_device_must_exist),
		cmocka_unit_test(wishes_are_set),
		cmocka_unit_test(multipath_falls_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
