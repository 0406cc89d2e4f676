/* What changes in a network namespace, told by a real kernel; and the parser of its messages, cut short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "sys/netwatch.h"
#include "in_child.h"

#define PATIENCE_MS 10000

/* ---- a namespace ---- */

struct heard {
	unsigned what, times;
	struct addr gone[8];
	size_t n_gone;
	uint64_t at_ms;
};

static void on_changed(void *owner, const struct netwatch_change *c)
{
	struct heard *h = owner;

	h->what |= c->what;
	h->times++;
	h->at_ms = clock_ms();
	for (size_t i = 0; i < c->n_gone && h->n_gone < 8; i++)
		h->gone[h->n_gone++] = c->gone[i];
	loop_stop();
}

static void on_late(struct loop_timer *t)
{
	(void)t;
	loop_stop();
}

/* Until something is told; what it was. 0: nothing within `ms`. */
static unsigned await(struct heard *h, uint64_t ms)
{
	struct loop_timer late = { 0 };
	uint64_t end = clock_ms() + ms;

	*h = (struct heard){ 0 };
	do { /* the loop's time is that of its last turn: a timer may be late at once */
		loop_timer_start(&late, ms, on_late);
		loop_run();
		loop_timer_stop(&late);
	} while (!h->times && clock_ms() < end);
	return h->what;
}

static void ip(const char *command)
{
	char text[256];

	snprintf(text, sizeof(text), "ip %s >/dev/null 2>&1", command);
	if (system(text) != 0)
		_exit(90);
}

static void expect(int code, bool holds)
{
	if (!holds)
		_exit(code);
}

static bool is(const struct addr *a, const char *text)
{
	struct addr b;

	return addr_parse_ip(text, 0, &b) == 0 && addr_ip_equal(a, &b);
}

/* root of a namespace of our own, also for programs that we start */
static bool become_root(void)
{
	char map[32];
	int len = snprintf(map, sizeof(map), "0 %u 1", geteuid()), fd;
	bool mapped;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	mapped = fd >= 0 && write(fd, map, (size_t)len) == len;
	if (fd >= 0)
		close(fd);
	return mapped;
}

static struct netwatch *open_here(struct heard *h)
{
	struct netwatch *w;
	int err;

	if (!become_root() || system("ip link show >/dev/null 2>&1") != 0)
		_exit(77);
	expect(91, loop_init() == 0);
	w = netwatch_open(on_changed, h, &err);
	expect(92, w != NULL);
	return w;
}

static void child_hears_all_kinds(void)
{
	struct heard h;
	struct netwatch *w = open_here(&h);
	struct addr a;

	ip("link set lo up");
	expect(1, await(&h, PATIENCE_MS) & NETWATCH_LINK);
	ip("addr add 10.9.0.1/24 dev lo");
	expect(2, await(&h, PATIENCE_MS) & NETWATCH_ADDR);
	addr_parse_ip("10.9.0.1", 7, &a);
	expect(3, h.n_gone == 0 && netwatch_is_ours(w, &a));
	ip("route add default dev lo");
	expect(4, await(&h, PATIENCE_MS) == NETWATCH_DEFAULT);
	ip("-6 route add 2001:db8::/64 dev lo");
	expect(5, await(&h, PATIENCE_MS) == NETWATCH_ROUTE);
	ip("rule add fwmark 7 lookup 7");
	expect(6, await(&h, PATIENCE_MS) == NETWATCH_RULE);
	ip("-6 rule add fwmark 7 lookup 7");
	expect(7, await(&h, PATIENCE_MS) == NETWATCH_RULE);
	ip("link set lo mtu 1400");
	expect(8, await(&h, PATIENCE_MS) & NETWATCH_MTU);
	ip("addr del 10.9.0.1/24 dev lo");
	expect(9, await(&h, PATIENCE_MS) & NETWATCH_ADDR_GONE);
	expect(10, h.n_gone == 1 && is(&h.gone[0], "10.9.0.1") && !netwatch_is_ours(w, &a));
	netwatch_close(w);
	loop_free();
	_exit(0);
}

static void hears_all_kinds(void **state)
{
	(void)state;
	passes(child_hears_all_kinds);
}

/* An address that flaps is not gone; many changes are told as one. */
static void child_waits_for_the_dust(void)
{
	struct heard h;
	struct netwatch *w = open_here(&h);
	uint64_t before;

	ip("link set lo up");
	ip("addr add 10.9.0.1/24 dev lo");
	await(&h, PATIENCE_MS);
	for (int i = 0; i < 3; i++) {
		ip("addr del 10.9.0.1/24 dev lo");
		ip("addr add 10.9.0.1/24 dev lo");
	}
	before = clock_ms();
	expect(1, await(&h, PATIENCE_MS) & NETWATCH_ADDR_GONE);
	expect(2, h.n_gone == 0 && h.times == 1 && h.at_ms - before + 1 >= NETWATCH_QUIET_MS);
	expect(3, await(&h, 3 * NETWATCH_QUIET_MS) == 0);
	netwatch_close(w);
	loop_free();
	_exit(0);
}

static void waits_for_the_dust(void **state)
{
	(void)state;
	passes(child_waits_for_the_dust);
}

/* Descriptors run out as an address goes: it is told when there are some again. */
static void child_looks_again(void)
{
	struct rlimit before, none = { 0 };
	struct heard h;
	struct netwatch *w = open_here(&h);

	ip("link set lo up");
	ip("addr add 10.9.0.1/24 dev lo");
	await(&h, PATIENCE_MS);
	ip("addr del 10.9.0.1/24 dev lo");
	expect(1, getrlimit(RLIMIT_NOFILE, &before) == 0);
	none.rlim_max = before.rlim_max;
	expect(2, setrlimit(RLIMIT_NOFILE, &none) == 0);
	expect(3, await(&h, PATIENCE_MS) && h.n_gone == 0);
	expect(4, setrlimit(RLIMIT_NOFILE, &before) == 0);
	do
		await(&h, PATIENCE_MS);
	while (h.times && !h.n_gone);
	expect(5, h.n_gone == 1 && is(&h.gone[0], "10.9.0.1"));
	netwatch_close(w);
	loop_free();
	_exit(0);
}

static void looks_again(void **state)
{
	(void)state;
	passes(child_looks_again);
}

/* More messages than the socket holds: what was lost is made up for. */
static void child_survives_a_flood(void)
{
	struct heard h;
	struct netwatch *w = open_here(&h);

	ip("link set lo up");
	ip("addr add 10.9.0.1/24 dev lo");
	await(&h, PATIENCE_MS);
	if (system("for i in $(seq 0 250); do for j in $(seq 1 20); do echo route add 10.$i.$j.0/24 dev lo table 9; done; done | ip -batch - >/dev/null 2>&1; "
		   "ip addr del 10.9.0.1/24 dev lo") != 0)
		_exit(77);
	do
		await(&h, PATIENCE_MS);
	while (h.times && !h.n_gone);
	expect(1, h.n_gone == 1 && is(&h.gone[0], "10.9.0.1"));
	netwatch_close(w);
	loop_free();
	_exit(0);
}

static void survives_a_flood(void **state)
{
	(void)state;
	passes(child_survives_a_flood);
}

/* ---- messages ---- */

static size_t put_route(char *at, uint16_t type, uint8_t dst_len)
{
	struct {
		struct nlmsghdr h;
		struct rtmsg m;
	} r = { .h = { .nlmsg_len = sizeof(r), .nlmsg_type = type }, .m = { .rtm_dst_len = dst_len } };

	memcpy(at, &r, sizeof(r));
	return sizeof(r);
}

static void reads_what_is_whole(void **state)
{
	_Alignas(struct nlmsghdr) char buf[256];
	size_t one = put_route(buf, RTM_NEWROUTE, 24), two = one + put_route(buf + one, RTM_DELROUTE, 0);

	(void)state;
	assert_int_equal(netwatch_read(buf, 0), 0);
	assert_int_equal(netwatch_read(buf, one), NETWATCH_ROUTE);
	assert_int_equal(netwatch_read(buf, two), NETWATCH_ROUTE | NETWATCH_DEFAULT);
	for (size_t len = 1; len < two; len++)
		if (len != one)
			assert_int_equal(netwatch_read(buf, len), NETWATCH_ALL);
}

static void distrusts_lengths(void **state)
{
	_Alignas(struct nlmsghdr) char buf[64];
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;

	(void)state;
	put_route(buf, RTM_NEWROUTE, 24);
	h->nlmsg_len = 0;
	assert_int_equal(netwatch_read(buf, sizeof(buf)), NETWATCH_ALL);
	h->nlmsg_len = sizeof(*h); /* no body */
	assert_int_equal(netwatch_read(buf, sizeof(*h)), NETWATCH_ALL);
	h->nlmsg_len = UINT32_MAX;
	assert_int_equal(netwatch_read(buf, sizeof(buf)), NETWATCH_ALL);
	h->nlmsg_type = RTM_NEWLINK;
	h->nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)); /* no attribute */
	assert_int_equal(netwatch_read(buf, h->nlmsg_len), NETWATCH_LINK);
	h->nlmsg_type = RTM_NEWNEIGH; /* of no interest */
	assert_int_equal(netwatch_read(buf, h->nlmsg_len), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_is_whole),
		cmocka_unit_test(distrusts_lengths),
		cmocka_unit_test(hears_all_kinds),
		cmocka_unit_test(waits_for_the_dust),
		cmocka_unit_test(looks_again),
		cmocka_unit_test(survives_a_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
