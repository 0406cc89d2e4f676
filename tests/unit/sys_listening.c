/* Local ports are found by who holds them, in both families. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "sys/listening.h"

static int hold(const char *ip, int type, struct addr *out)
{
	struct sockaddr_storage ss;
	struct addr a;
	socklen_t len;
	int fd;

	assert_int_equal(addr_parse_ip(ip, 0, &a), 0);
	len = addr_to_sockaddr(&a, &ss);
	fd = socket(a.family, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&ss, len) < 0)
		skip();
	len = sizeof(ss);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	*out = addr_from_sockaddr((struct sockaddr *)&ss);
	return fd;
}

static void check(const char *bound, const char *asked, int udp, int expected)
{
	struct addr a, wanted;
	int fd = hold(bound, udp ? SOCK_DGRAM : SOCK_STREAM, &a);

	assert_int_equal(addr_parse_ip(asked, a.port, &wanted), 0);
	if (!udp) {
		assert_int_equal(sys_listening(&wanted, false), 0); /* bound is not listening */
		assert_int_equal(listen(fd, 1), 0);
	}
	assert_int_equal(sys_listening(&wanted, udp), expected);
	assert_int_equal(sys_listening(&wanted, !udp), 0);
	close(fd);
	assert_int_equal(sys_listening(&wanted, udp), 0);
}

static void a_port_is_seen_where_it_is_held(void **state)
{
	(void)state;
	for (int udp = 0; udp < 2; udp++) {
		check("127.0.0.1", "127.0.0.1", udp, 1);
		check("127.0.0.1", "127.0.0.2", udp, 0);
		check("0.0.0.0", "127.0.0.1", udp, 1);
		check("::1", "::1", udp, 1);
		check("::", "::1", udp, 1);
		check("::", "127.0.0.1", udp, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_port_is_seen_where_it_is_held) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
