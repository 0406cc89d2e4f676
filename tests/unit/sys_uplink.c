/* The path MTU, as the kernel reports it, and the netlink requests that change it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sys/netlink.h"
#include "sys/uplink.h"
#include "in_child.h"

static void loopback_fits_an_ip_packet(void **state)
{
	struct addr a;

	(void)state;
	addr_parse_ip("127.0.0.1", 8388, &a);
	assert_int_equal(sys_uplink_mtu(&a, NULL), 65535);
	a.port = 0;
	assert_int_equal(sys_uplink_mtu(&a, NULL), 65535);
	assert_int_equal(sys_uplink_mtu(&(struct addr){ 0 }, NULL), -EAFNOSUPPORT);
}

/* In a network namespace of its own: lo down means no route; then an MTU that netlink sets. */
static void child_sets_mtu(void)
{
	struct netlink_link link = { .mtu = 1400, .up = true };
	struct netlink n;
	struct addr a;

	addr_parse_ip("127.0.0.1", 1, &a);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		_exit(77);
	if (sys_uplink_mtu(&a, NULL) != -ENETUNREACH)
		_exit(1);
	if (netlink_open(&n) || netlink_set_link(&n, 1, &link))
		_exit(2);
	if (sys_uplink_mtu(&a, NULL) != 1400)
		_exit(3);
	link.mtu = -1; /* the kernel must refuse, and we must hear it */
	if (netlink_set_link(&n, 1, &link) != -EINVAL)
		_exit(4);
	netlink_close(&n);
	_exit(0);
}

static void follows_the_device(void **state)
{
	(void)state;
	passes(child_sets_mtu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loopback_fits_an_ip_packet),
		cmocka_unit_test(follows_the_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
