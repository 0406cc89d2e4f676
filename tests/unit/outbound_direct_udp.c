/*
 * Datagrams to names, from a direct port and from a Shadowsocks client whose
 * server is a name: they wait for the resolver in order and within bounds, hold
 * up nobody else, and a flow keeps its remote when the answer is shuffled. The
 * name server is the test's own.
 */
#include "udp_names.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/clock.h"
#include "io/datagram_counters.h"
#include "outbound/direct_udp.h"
#include "outbound/ss_udp.h"
#include "outbound/udp_waiting.h"
#include "proto/ss_packet.h"
#include "resolve/resolve.h"

static int far_fd;
static struct addr far_addr;
static struct datagram_port *port;
static int n_back;

static void on_back(void *owner, const struct datagram *d, int n)
{
	(void)owner, (void)d;
	n_back += n;
}

static int n_refused;
static struct target refused;
static enum flow_end refused_why;

static void on_refused(void *owner, const struct target *t, enum flow_end why)
{
	(void)owner;
	n_refused++;
	refused = *t;
	refused_why = why;
}

static const struct datagram_events back_events = { on_back, NULL, on_refused };

static void begin(void)
{
	char servers[ADDR_STRLEN], err[256] = "";
	struct direct_udp_options o = { .allow_local = true };

	n_back = n_refused = 0;
	assert_int_equal(loop_init(), 0);
	dns_fd = plain_socket(&dns_addr);
	far_fd = plain_socket(&far_addr);
	addr_format(&dns_addr, servers);
	assert_int_equal(resolve_init(&(struct resolve_options){ .servers = servers }, err, sizeof(err)), 0);
	port = direct_udp_port(&o);
	assert_non_null(port);
	datagram_bind(port, &back_events, NULL);
}

static void end(void)
{
	datagram_end(port, END_SHUTDOWN);
	loop_turn();
	assert_int_equal(buf_pool_used(), 0);
	resolve_free();
	loop_turn();
	loop_free();
	close(dns_fd);
	close(far_fd);
}

static void send_to_target(const struct target *t, uint32_t len)
{
	struct slice s = pattern_slice(len, 0);
	struct datagram d = { .remote = t, .payload = s };

	datagram_send(port, &d, 1);
	slice_unref(s);
}

static struct target named(const char *name)
{
	struct target t;

	assert_int_equal(target_set(&t, name, strlen(name), far_addr.port), 0);
	return t;
}

static uint8_t data[70000];

static ssize_t far_got(void)
{
	return plain_receive(far_fd, data, sizeof(data), NULL);
}

/* ---- tests ---- */

static void test_a_name_waits_in_order_and_alone(void **state)
{
	struct target name, ip;
	ssize_t n;

	(void)state;
	begin();
	name = named("slow.test");
	target_from_addr(&ip, &far_addr);
	for (uint32_t i = 0; i < 20; i++)
		send_to_target(&name, 100 + i);
	send_to_target(&ip, 7);
	turn_until((n = far_got()) >= 0);
	assert_int_equal(n, 7); /* what needs no name does not wait */
	turns(20);
	assert_int_equal(far_got(), -1);
	turn_until(answer_dns(here, 1, true));
	for (uint32_t i = 0; i < 20; i++) {
		turn_until((n = far_got()) >= 0);
		assert_int_equal(n, 100 + i);
		assert_true(pattern_ok(data, 100 + i, 0));
	}
	/* From now on it is known. */
	send_to_target(&name, 500);
	turn_until((n = far_got()) >= 0);
	assert_int_equal(n, 500);
	assert_int_equal(answer_dns(here, 1, true), 0);
	end();
}

static void test_what_goes_nowhere_is_told(void **state)
{
	struct addr gone, broadcast = addr_v4((const uint8_t[]){ 255, 255, 255, 255 }, 9);
	struct target closed, everybody, name;

	(void)state;
	begin();
	close(plain_socket_at(loopback4_own(), &gone)); /* nobody listens there any more */
	target_from_addr(&closed, &gone);
	target_from_addr(&everybody, &broadcast);
	send_to_target(&closed, 5);
	turn_until(n_refused == 1);
	assert_int_equal(refused_why, END_REFUSED);
	assert_true(target_equal(&refused, &closed));
	/* The kernel itself says no: not allowed, or no route. */
	send_to_target(&everybody, 5);
	turn_until(n_refused == 2);
	assert_true(refused_why == END_DENIED || refused_why == END_NET_UNREACHABLE);
	assert_true(target_equal(&refused, &everybody));
	/* A name of nobody's. */
	name = named("nobody.test");
	send_to_target(&name, 5);
	turn_until(answer_dns(NULL, 0, false));
	turn_until(n_refused == 3);
	assert_int_equal(refused_why, END_NAME);
	assert_true(target_equal(&refused, &name));
	/* That is remembered, and told again to who asks again. */
	send_to_target(&name, 5);
	turn_until(n_refused == 4);
	assert_int_equal(refused_why, END_NAME);
	end();
}

static void test_what_is_forbidden_is_told(void **state)
{
	struct direct_udp_options o = { 0 };
	struct target ip;

	(void)state;
	begin();
	datagram_end(port, END_DONE);
	port = direct_udp_port(&o);
	assert_non_null(port);
	datagram_bind(port, &back_events, NULL);
	target_from_addr(&ip, &far_addr);
	send_to_target(&ip, 5);
	send_to_target(&ip, 5);
	assert_int_equal(n_refused, 0); /* never from inside the call */
	turns(1);
	assert_int_equal(n_refused, 1);
	assert_int_equal(refused_why, END_DENIED);
	assert_int_equal(far_got(), -1);
	end();
}

static void test_the_queue_is_bounded(void **state)
{
	struct target name;
	uint64_t before = datagram_counters.dropped_queue;
	int got = 0;

	(void)state;
	begin();
	name = named("slow.test");
	for (int i = 0; i < UDP_WAITING_MAX + 50; i++)
		send_to_target(&name, 10);
	/* Each is a copy in a buffer of 2 KiB: the bytes are the closer bound here. */
	assert_int_equal(datagram_counters.dropped_queue - before, UDP_WAITING_MAX + 50 - UDP_WAITING_BYTES / BUF_SMALL);
	turn_until(answer_dns(here, 1, true));
	turn_until(far_got() == 10);
	for (int quiet = 0; quiet < 20; quiet++) {
		loop_turn();
		for (; far_got() == 10; quiet = 0)
			got++;
	}
	assert_true(got >= 100); /* the far end's own buffer is not endless */
	end();
}

static void test_a_name_without_address(void **state)
{
	struct target name;
	uint64_t before = datagram_counters.dropped_queue;

	(void)state;
	begin();
	name = named("none.test");
	send_to_target(&name, 10);
	send_to_target(&name, 11);
	for (int i = 0; i < 3000 && datagram_counters.dropped_queue < before + 2; i++) {
		answer_dns(NULL, 0, false);
		turns(1);
	}
	assert_int_equal(datagram_counters.dropped_queue, before + 2);
	assert_int_equal(far_got(), -1);
	end();
}

static void test_a_port_may_end_while_it_waits(void **state)
{
	struct target name;

	(void)state;
	begin();
	name = named("slow.test");
	send_to_target(&name, 10);
	turns(3);
	end(); /* no buffer is left, nothing is called */
}

/* The server of a Shadowsocks client has a name. */
static void test_a_server_with_a_name(void **state)
{
	static const char *const methods[] = { "aes-256-gcm", "2022-blake3-aes-256-gcm" };

	(void)state;
	for (int m = 0; m < 2; m++) {
		const struct ss_method *method = ss_method_find(methods[m]);
		uint8_t key[SS_KEY_MAX] = { 9 };
		struct ss_packet_codec codec;
		struct ss_packet_session session;
		struct ss_udp_client *client;
		struct target name, ip;
		struct ss_packet p;
		ssize_t n;

		begin();
		name = named("server.test");
		target_from_addr(&ip, &dns_addr);
		client = ss_udp_client_new(&(struct ss_udp_client_options){ .server = &name, .method = method, .key = key });
		datagram_end(port, END_SHUTDOWN);
		port = ss_udp_client_port(client);
		datagram_bind(port, &back_events, NULL);
		send_to_target(&ip, 33);
		turns(3);
		assert_int_equal(far_got(), -1);
		turn_until(answer_dns(here, 1, true));
		turn_until((n = far_got()) > 0);
		assert_int_equal(ss_packet_codec_init(&codec, method, SS_SERVER, key), 0);
		assert_int_equal(ss_packet_identify(&codec, data, (size_t)n, &p), 0);
		ss_packet_session_init(&codec, &session, p.session_id);
		assert_int_equal(ss_packet_open(&codec, &session, clock_unix(), data, (size_t)n, &p), 0);
		assert_int_equal(p.len, 33);
		assert_true(addr_equal(&p.remote.ip, &dns_addr));
		ss_packet_session_wipe(&session);
		ss_packet_codec_wipe(&codec);
		datagram_end(port, END_SHUTDOWN);
		loop_turn();
		ss_udp_client_free(client);
		port = direct_udp_port(&(struct direct_udp_options){ 0 });
		end();
	}
}

/* Two addresses, one of which the kernel does not connect to (broadcast): the other is used. */
static void test_an_address_that_cannot_be_reached_is_passed_over(void **state)
{
	static const uint8_t two[][4] = { { 255, 255, 255, 255 }, { 127, 0, 0, 1 } };
	struct target name;

	(void)state;
	begin();
	name = named("two.test");
	send_to_target(&name, 10);
	turn_until(answer_dns(two, 2, true));
	turn_until(far_got() == 10);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_name_waits_in_order_and_alone),
		cmocka_unit_test(test_what_goes_nowhere_is_told),
		cmocka_unit_test(test_what_is_forbidden_is_told),
		cmocka_unit_test(test_the_queue_is_bounded),
		cmocka_unit_test(test_a_name_without_address),
		cmocka_unit_test(test_a_port_may_end_while_it_waits),
		cmocka_unit_test(test_a_server_with_a_name),
		cmocka_unit_test(test_an_address_that_cannot_be_reached_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
