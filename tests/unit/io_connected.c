/* Connections are found by the address that they come from, and by silence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/connected.h"

struct one {
	struct connected connected;
	struct one *takes_along;
	enum flow_end why;
	int told;
};

static void on_give_up(struct connected *c, enum flow_end why)
{
	struct one *o = container_of(c, struct one, connected);

	o->told++;
	o->why = why;
	connected_remove(c);
	if (o->takes_along)
		connected_remove(&o->takes_along->connected);
}

/* Bound is enough to have a source. */
static void open_from(struct one *o, const char *source)
{
	struct sockaddr_storage ss;
	struct addr a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*o = (struct one){ 0 };
	assert_int_equal(addr_parse_ip(source, 0, &a), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, addr_to_sockaddr(&a, &ss)), 0);
	connected_add(&o->connected, fd, true, 77, on_give_up);
}

static void close_all(struct one *o, int n)
{
	for (int i = 0; i < n; i++) {
		connected_remove(&o[i].connected);
		close(o[i].connected.fd);
	}
}

static void ends_those_of_an_address(void **state)
{
	struct one o[3];
	struct addr gone;

	(void)state;
	open_from(&o[0], "127.0.0.2");
	open_from(&o[1], "127.0.0.3");
	open_from(&o[2], "127.0.0.2");
	addr_parse_ip("127.0.0.2", 80, &gone);
	assert_int_equal(connected_drop_sources(&gone, 1), 2);
	assert_int_equal(o[0].told + o[2].told, 2);
	assert_int_equal(o[0].why, END_ADDRESS_GONE);
	assert_int_equal(o[1].told, 0);
	assert_int_equal(connected_drop_sources(&gone, 1), 0);
	assert_int_equal(connected_drop_sources(NULL, 0), 0);
	close_all(o, 3);
}

/* The end of one may take another with it that was meant as well. */
static void an_end_may_end_another(void **state)
{
	struct one o[3];
	struct addr gone;

	(void)state;
	for (int i = 0; i < 3; i++)
		open_from(&o[i], "127.0.0.2");
	o[0].takes_along = &o[1];
	addr_parse_ip("127.0.0.2", 0, &gone);
	assert_int_equal(connected_drop_sources(&gone, 1), 2);
	assert_int_equal(o[1].told, 0);
	assert_int_equal(o[2].told, 1);
	close_all(o, 3);
}

static void who_is_not_waiting_is_not_deaf(void **state)
{
	struct one o;

	(void)state;
	open_from(&o, "127.0.0.2");
	assert_int_equal(connected_drop_lost(0), 0);
	close_all(&o, 1);
}

static int get(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void who_lives_long_enough_is_kept_alive(void **state)
{
	struct one o;

	(void)state;
	open_from(&o, "127.0.0.2");
	assert_int_equal(get(o.connected.fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	connected_keep_alive();
	assert_int_equal(get(o.connected.fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(get(o.connected.fd, IPPROTO_TCP, TCP_KEEPIDLE), 77);
	close_all(&o, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_those_of_an_address),
		cmocka_unit_test(an_end_may_end_another),
		cmocka_unit_test(who_is_not_waiting_is_not_deaf),
		cmocka_unit_test(who_lives_long_enough_is_kept_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
