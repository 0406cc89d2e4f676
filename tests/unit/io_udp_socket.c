/*
 * Batched UDP sockets over loopback: every datagram arrives as it was sent, of
 * any size, in order within its flow, grouped or not; the source address can be
 * chosen; a closed port is told; an idle socket holds no buffer.
 */
#include "udp_helpers.h"

#include "io/udp_slots.h"
#include "io/udp_socket.h"

#define MAX_GOT 600

struct got {
	uint32_t len;
	uint8_t first;
	bool intact;
};

static struct got got[MAX_GOT];
static int n_got, n_messages, n_errors, last_error;
static struct addr last_peer, last_local, error_remote;
static struct udp_socket *close_on_receive;

static void on_receive(void *owner, const struct udp_message *m, int n)
{
	(void)owner;
	for (int i = 0; i < n; i++) {
		uint32_t off = 0, size = m[i].segment ? m[i].segment : m[i].payload.len;

		n_messages++;
		last_peer = m[i].peer;
		last_local = m[i].local;
		do {
			uint32_t rest = m[i].payload.len - off, len = rest < size ? rest : size;
			const uint8_t *data = slice_data(&m[i].payload) + off;

			assert_true(n_got < MAX_GOT);
			got[n_got++] = (struct got){ len, len ? data[0] : 0, !len || pattern_ok(data, len, data[0]) };
			off += len;
		} while (off < m[i].payload.len);
	}
	if (close_on_receive) {
		udp_socket_close(close_on_receive);
		close_on_receive = NULL;
	}
}

static void on_error(void *owner, int err, const struct addr *remote)
{
	(void)owner;
	n_errors++;
	last_error = err;
	error_remote = *remote;
}

static const struct udp_socket_events events = { on_receive, on_error };

static struct udp_socket *open_on(const struct addr *bind_to, bool pktinfo)
{
	struct udp_socket_options o = { .bind = bind_to, .pktinfo = pktinfo, .buffer = 4u << 20 };
	int err;
	struct udp_socket *s = udp_socket_open(&o, &events, NULL, &err);

	assert_non_null(s);
	return s;
}

static struct udp_socket *open_loopback(void)
{
	struct addr a = loopback4(0);

	return open_on(&a, false);
}

static void put(struct udp_socket *s, const struct addr *to, uint32_t flow, struct slice payload, uint16_t segment)
{
	struct udp_outgoing o = { .remote = to, .flow = flow, .payload = payload, .segment = segment };

	udp_socket_send(s, &o);
}

static void send_pattern(struct udp_socket *s, const struct addr *to, uint32_t flow, uint32_t len, uint8_t seed)
{
	struct slice p = pattern_slice(len, seed);

	put(s, to, flow, p, 0);
	slice_unref(p);
}

static int reset(void **state)
{
	(void)state;
	n_got = n_messages = n_errors = last_error = 0;
	close_on_receive = NULL;
	assert_int_equal(loop_init(), 0);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	loop_turn();
	assert_int_equal(udp_slots_used(), 0);
	assert_int_equal(buf_pool_used(), 0);
	loop_free();
	return 0;
}

static void test_every_size_arrives(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 2, 100, 1472, 1473, 9000, 30000, 65507 };
	struct udp_socket *a = open_loopback(), *b = open_loopback();
	struct addr to = udp_socket_addr(b), from = udp_socket_addr(a);

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		send_pattern(a, &to, 0, sizes[i], (uint8_t)i);
	turn_until(n_got == 9);
	for (int i = 0; i < 9; i++) {
		assert_int_equal(got[i].len, sizes[i]);
		assert_true(got[i].intact);
	}
	assert_true(addr_equal(&last_peer, &from));
	udp_socket_close(a);
	udp_socket_close(b);
}

static void test_equal_datagrams_leave_as_one(void **state)
{
	struct udp_socket *a = open_loopback(), *b = open_loopback();
	struct addr to = udp_socket_addr(b);
	uint64_t calls = udp_socket_counters.tx_calls, sent = udp_socket_counters.tx_datagrams;

	(void)state;
	for (int i = 0; i < 40; i++)
		send_pattern(a, &to, 0, i == 39 ? 50 : 200, (uint8_t)i);
	turn_until(n_got == 40);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(got[i].len, i == 39 ? 50 : 200);
		assert_int_equal(got[i].first, i);
		assert_true(got[i].intact);
	}
	assert_int_equal(udp_socket_counters.tx_datagrams - sent, 40);
	/* Loopback takes UDP_SEGMENT and UDP_GRO: one message each way. */
	assert_int_equal(udp_socket_counters.tx_calls - calls, 1);
	assert_int_equal(n_messages, 1);
	udp_socket_close(a);
	udp_socket_close(b);
}

/* Sealed one behind another in one buffer: the queue takes them as one run. */
static void test_adjacent_payloads_make_a_run(void **state)
{
	struct udp_socket *a = open_loopback(), *b = open_loopback();
	struct addr to = udp_socket_addr(b);
	struct buf *arena = buf_get(BUF_MEDIUM);
	uint64_t calls = udp_socket_counters.tx_calls;
	uint32_t at = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		uint32_t len = i % 50 == 49 ? 30 : 100; /* a short one ends each run */

		for (uint32_t k = 0; k < len; k++)
			arena->data[at + k] = (uint8_t)(i + k * 7);
		put(a, &to, 0, (struct slice){ arena, at, len }, 0);
		at += len;
	}
	buf_unref(arena);
	turn_until(n_got == 100);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(got[i].len, i % 50 == 49 ? 30 : 100);
		assert_int_equal(got[i].first, i);
		assert_true(got[i].intact);
	}
	assert_int_equal(udp_socket_counters.tx_calls - calls, 2);
	udp_socket_close(a);
	udp_socket_close(b);
}

/* Sizes alternate: one flow keeps its order, two flows may be grouped apart. */
static void test_order_holds_within_a_flow(void **state)
{
	struct udp_socket *a = open_loopback(), *b = open_loopback();
	struct addr to = udp_socket_addr(b);
	int last[2] = { -1, -1 };
	uint64_t calls;

	(void)state;
	for (int i = 0; i < 60; i++)
		send_pattern(a, &to, 7, i & 1 ? 300 : 200, (uint8_t)i);
	turn_until(n_got == 60);
	for (int i = 0; i < 60; i++)
		assert_int_equal(got[i].first, i);

	n_got = 0;
	calls = udp_socket_counters.tx_calls;
	for (int i = 0; i < 60; i++)
		send_pattern(a, &to, i & 1, i & 1 ? 300 : 200, (uint8_t)i);
	turn_until(n_got == 60);
	for (int i = 0; i < 60; i++) {
		int flow = got[i].len == 300;

		assert_true(got[i].first > last[flow]);
		last[flow] = got[i].first;
	}
	assert_int_equal(udp_socket_counters.tx_calls - calls, 2);
	udp_socket_close(a);
	udp_socket_close(b);
}

static void test_a_given_segment_size_is_kept(void **state)
{
	struct udp_socket *a = open_loopback(), *b = open_loopback();
	struct addr to = udp_socket_addr(b);
	struct slice run = pattern_slice(100 * 100 + 40, 0); /* more than 64 segments: split by us */

	(void)state;
	put(a, &to, 0, run, 100);
	slice_unref(run);
	turn_until(n_got == 101);
	for (int i = 0; i < 101; i++) {
		assert_int_equal(got[i].len, i == 100 ? 40 : 100);
		assert_int_equal(got[i].first, (uint8_t)(i * 700));
	}
	udp_socket_close(a);
	udp_socket_close(b);
}

/* 70 datagrams of 9,000 bytes are more than a group holds in segments or bytes. */
static void test_groups_respect_the_kernels_limits(void **state)
{
	struct udp_socket *a = open_loopback(), *b = open_loopback();
	struct addr to = udp_socket_addr(b);
	uint64_t dropped = udp_socket_counters.tx_dropped, too_big = udp_socket_counters.tx_too_big;

	(void)state;
	for (int i = 0; i < 70; i++) {
		send_pattern(a, &to, 0, 9000, (uint8_t)i);
		turns(i % 8 == 7);
	}
	turn_until(n_got == 70);
	for (int i = 0; i < 70; i++) {
		assert_int_equal(got[i].first, i);
		assert_true(got[i].len == 9000 && got[i].intact);
	}
	assert_int_equal(udp_socket_counters.tx_dropped, dropped);
	assert_int_equal(udp_socket_counters.tx_too_big, too_big);
	udp_socket_close(a);
	udp_socket_close(b);
}

static void test_replies_leave_from_the_address_used(void **state)
{
	struct addr any4 = addr_v4((const uint8_t[4]){ 0 }, 0), from, self;
	struct udp_socket *s = open_on(&any4, true);
	struct addr here = udp_socket_addr(s), there;
	struct udp_outgoing o = { 0 };
	struct slice p = pattern_slice(10, 1);
	uint8_t data[64];
	int fd = plain_socket(&self);
	ssize_t n;

	(void)state;
	there = addr_v4((const uint8_t[]){ 127, 3, 2, 1 }, here.port);
	plain_send(fd, &there, "x", 1);
	turn_until(n_got == 1);
	assert_true(addr_ip_equal(&last_local, &there));
	o = (struct udp_outgoing){ .remote = &last_peer, .local = &last_local, .payload = p };
	udp_socket_send(s, &o);
	slice_unref(p);
	turn_until((n = plain_receive(fd, data, sizeof(data), &from)) == 10);
	assert_true(addr_equal(&from, &there));
	close(fd);
	udp_socket_close(s);
}

/* A socket on :: serves IPv4 clients, who have IPv4 addresses to us. */
static void test_dual_stack(void **state)
{
	struct addr any6 = { .family = AF_INET6 }, from, self;
	struct udp_socket *s = open_on(&any6, true);
	struct addr there = loopback4(udp_socket_addr(s).port);
	struct slice p = pattern_slice(10, 1);
	uint8_t data[64];
	int fd = plain_socket(&self);

	(void)state;
	there.ip.bytes[3] = 9;
	plain_send(fd, &there, "x", 1);
	turn_until(n_got == 1);
	assert_true(addr_equal(&last_peer, &self));
	assert_true(addr_ip_equal(&last_local, &there));
	udp_socket_send(s, &(struct udp_outgoing){ .remote = &last_peer, .local = &last_local, .payload = p });
	slice_unref(p);
	turn_until(plain_receive(fd, data, sizeof(data), &from) == 10);
	assert_true(addr_equal(&from, &there));
	close(fd);
	udp_socket_close(s);
}

static void test_a_closed_port_is_told_and_harms_nothing(void **state)
{
	struct udp_socket *a = open_loopback(), *b = open_loopback();
	struct addr to = udp_socket_addr(b), closed;
	int fd = plain_socket(&closed);
	uint64_t count = udp_socket_counters.closed_port;

	(void)state;
	close(fd);
	send_pattern(a, &closed, 0, 10, 0);
	turn_until(n_errors == 1);
	assert_int_equal(last_error, ECONNREFUSED);
	assert_true(addr_equal(&error_remote, &closed));
	assert_int_equal(udp_socket_counters.closed_port, count + 1);
	/* With an error pending, what follows must not be lost. */
	send_pattern(a, &closed, 0, 10, 0);
	udp_socket_flush(a);
	usleep(2000);
	send_pattern(a, &to, 0, 10, 5);
	turn_until(n_got == 1);
	assert_int_equal(got[0].first, 5);
	udp_socket_close(a);
	udp_socket_close(b);
}

static void test_closing_inside_an_event(void **state)
{
	struct udp_socket *a = open_loopback(), *b = open_loopback();
	struct addr to = udp_socket_addr(b);

	(void)state;
	close_on_receive = b;
	send_pattern(a, &to, 0, 10, 0);
	send_pattern(a, &to, 0, 20, 0);
	turn_until(n_got >= 1);
	turns(3);
	assert_null(close_on_receive);
	udp_socket_close(a);
}

static void test_no_remote_of_the_other_family(void **state)
{
	struct udp_socket *a = open_loopback();
	struct addr v6 = addr_v6((const uint8_t[16]){ 0x20, 1, 0xd, 0xb8 }, 53);
	uint64_t dropped = udp_socket_counters.tx_dropped;

	(void)state;
	send_pattern(a, &v6, 0, 10, 0);
	assert_int_equal(udp_socket_counters.tx_dropped, dropped + 1);
	udp_socket_close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_size_arrives, reset, finish),
		cmocka_unit_test_setup_teardown(test_equal_datagrams_leave_as_one, reset, finish),
		cmocka_unit_test_setup_teardown(test_adjacent_payloads_make_a_run, reset, finish),
		cmocka_unit_test_setup_teardown(test_order_holds_within_a_flow, reset, finish),
		cmocka_unit_test_setup_teardown(test_a_given_segment_size_is_kept, reset, finish),
		cmocka_unit_test_setup_teardown(test_groups_respect_the_kernels_limits, reset, finish),
		cmocka_unit_test_setup_teardown(test_replies_leave_from_the_address_used, reset, finish),
		cmocka_unit_test_setup_teardown(test_dual_stack, reset, finish),
		cmocka_unit_test_setup_teardown(test_a_closed_port_is_told_and_harms_nothing, reset, finish),
		cmocka_unit_test_setup_teardown(test_closing_inside_an_event, reset, finish),
		cmocka_unit_test_setup_teardown(test_no_remote_of_the_other_family, reset, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
