/*
 * The association table between ports of the test's own: one port per key, every
 * remote may answer, batches stay together, idle times and the cap do what they
 * say, and a flood does not push out flows that work.
 */
#include "udp_helpers.h"

#include "flow/assoc.h"

#define PORTS 4096

struct fake_port {
	struct datagram_port port;
	int sends, datagrams, ended; /* ended: enum flow_end, -1 = alive */
	uint8_t last_first;
};

static struct fake_port ports[PORTS];
static int n_ports, ports_allowed;

static int back_n, refused, refused_why, forgotten;
static struct datagram last_refused;
static struct assoc_key back_key;
static struct addr back_from;

/* ---- the outbound ---- */

static void port_send(struct datagram_port *p, const struct datagram *d, int n)
{
	struct fake_port *f = (struct fake_port *)p;

	assert_int_equal(f->ended, -1);
	f->sends++;
	for (int i = 0; i < n; i++) {
		uint8_t first = *slice_data(&d[i].payload);
		if (f->datagrams)
			assert_true(first > f->last_first); /* in order */
		f->last_first = first;
		f->datagrams++;
	}
}

static void port_end(struct datagram_port *p, enum flow_end why)
{
	struct fake_port *f = (struct fake_port *)p;

	assert_int_equal(f->ended, -1);
	f->ended = (int)why;
}

static const struct datagram_port_ops port_ops = { .send = port_send, .end = port_end };

static struct datagram_port *new_port(struct outbound *o)
{
	(void)o;
	if (n_ports >= ports_allowed)
		return NULL;
	ports[n_ports] = (struct fake_port){ .port.ops = &port_ops, .ended = -1 };
	return &ports[n_ports++].port;
}

static const struct outbound_ops out_ops = { .port = new_port };
static struct outbound out = { .ops = &out_ops, .name = "fake" };

/* ---- the inbound ---- */

static void in_send(struct datagram_port *p, const struct datagram *d, int n)
{
	(void)p;
	back_n += n;
	back_key = d[n - 1].key;
	back_from = d[n - 1].remote->ip;
}

static void in_refuse(struct datagram_port *p, const struct datagram *d, enum flow_end why)
{
	(void)p;
	last_refused = *d;
	refused++;
	refused_why = (int)why;
}

static void in_forget(struct datagram_port *p, const struct assoc_key *k)
{
	(void)p, (void)k;
	forgotten++;
}

static const struct datagram_port_ops in_ops = { .send = in_send, .refuse = in_refuse, .forget = in_forget };
static struct datagram_port in;
static struct assoc_table *table;

static void begin(struct assoc_limits l)
{
	n_ports = back_n = refused = forgotten = 0;
	ports_allowed = PORTS;
	memset(&flow_counters, 0, sizeof(flow_counters));
	assert_int_equal(loop_init(), 0);
	in = (struct datagram_port){ .ops = &in_ops };
	table = assoc_table_new(&in, &out, &l);
	assert_non_null(table);
}

static void end(void)
{
	assoc_table_free(table);
	for (int i = 0; i < n_ports; i++)
		assert_int_not_equal(ports[i].ended, -1);
	assert_int_equal(flow_counters.udp.sessions_active, 0);
	assert_int_equal(forgotten, n_ports);
	loop_turn();
	loop_free();
}

static struct assoc_key key(uint16_t port)
{
	return (struct assoc_key){ .addr = loopback4(port) };
}

static struct target remotes[2];

/* n datagrams whose keys are keys[i] and first bytes first+i, to port `to`. */
static void arrive(const uint16_t *keys, int n, uint8_t first, uint16_t to)
{
	struct datagram d[DATAGRAM_BATCH];
	struct slice bytes = { buf_get(DATAGRAM_BATCH), 0, 1 };
	struct addr a = addr_v4((const uint8_t[]){ 192, 0, 2, 1 }, to);

	target_from_addr(&remotes[0], &a);
	for (int i = 0; i < n; i++) {
		bytes.buf->data[i] = (uint8_t)(first + i);
		d[i] = (struct datagram){ .key = key(keys[i]), .remote = &remotes[0], .payload = { bytes.buf, (uint32_t)i, 1 } };
	}
	in.events->receive(in.owner, d, n);
	slice_unref(bytes);
}

static void answer(struct fake_port *f)
{
	struct slice bytes = pattern_slice(3, 0);
	struct addr a = addr_v4((const uint8_t[]){ 203, 0, 113, 9 }, 4000);
	struct datagram d = { .remote = &remotes[1], .payload = bytes };

	target_from_addr(&remotes[1], &a);
	f->port.events->receive(f->port.owner, &d, 1);
	slice_unref(bytes);
}

/* ---- tests ---- */

static const struct assoc_limits usual = { .max = 64, .idle_s = 300, .unreplied_s = 30, .dns_s = 10 };

static void test_one_port_per_key_and_batches_stay_together(void **state)
{
	static const uint16_t mixed[] = { 1, 2, 1, 1, 2, 3, 1 };

	(void)state;
	begin(usual);
	arrive(mixed, 7, 0, 80);
	assert_int_equal(n_ports, 3);
	assert_int_equal(ports[0].sends, 1);
	assert_int_equal(ports[0].datagrams, 4);
	assert_int_equal(ports[1].datagrams, 2);
	assert_int_equal(ports[2].datagrams, 1);
	arrive(mixed, 7, 100, 80);
	assert_int_equal(n_ports, 3);
	assert_int_equal(ports[0].sends, 2);
	assert_int_equal(flow_counters.udp.packets_up, 14);
	end();
}

static void test_any_remote_may_answer(void **state)
{
	static const uint16_t two[] = { 7, 8 };

	(void)state;
	begin(usual);
	arrive(two, 2, 0, 80);
	answer(&ports[1]); /* from an address that was never written to */
	assert_int_equal(back_n, 1);
	assert_int_equal(back_key.addr.port, 8);
	assert_int_equal(back_from.port, 4000);
	assert_int_equal(flow_counters.udp.packets_down, 1);
	end();
}

static void test_a_port_that_cannot_be_had_is_refused(void **state)
{
	static const uint16_t two[] = { 1, 2 };

	(void)state;
	begin(usual);
	ports_allowed = 1;
	arrive(two, 2, 0, 80);
	assert_int_equal(refused, 1);
	assert_int_equal(refused_why, END_LIMIT);
	assert_int_equal(flow_counters.udp.dropped_limit, 1);
	assert_int_equal(ports[0].datagrams, 1);
	end();
}

static void test_what_a_port_refuses_is_told_whoever_sent_it(void **state)
{
	static const uint16_t two[] = { 1, 2 };
	struct addr far = loopback4(7);
	struct target t;

	(void)state;
	begin(usual);
	arrive(two, 2, 0, 7);
	target_from_addr(&t, &far);
	datagram_refused(&ports[1].port, &t, END_UNREACHABLE);
	assert_int_equal(refused, 1);
	assert_int_equal(refused_why, END_UNREACHABLE);
	assert_int_equal(last_refused.key.addr.port, 2);
	assert_true(target_equal(last_refused.remote, &t));
	assert_int_equal(last_refused.payload.len, 0);
	assert_int_equal(flow_counters.udp.sessions_active, 2); /* it goes on */
	end();
}

static void test_a_port_that_breaks_ends_its_association_alone(void **state)
{
	static const uint16_t two[] = { 1, 2 };

	(void)state;
	begin(usual);
	arrive(two, 2, 0, 80);
	ports[0].port.events->ended(ports[0].port.owner, END_REMOTE_RESET);
	assert_int_equal(ports[0].ended, END_REMOTE_RESET);
	assert_int_equal(ports[1].ended, -1);
	arrive(two, 2, 10, 80);
	assert_int_equal(n_ports, 3); /* the first source begins anew */
	end();
}

/* A second stands for each idle time, so that the test sees all three. */
static void test_idle_times(void **state)
{
	static const struct assoc_limits quick = { .max = 64, .idle_s = 4, .unreplied_s = 2, .dns_s = 1 };
	static const uint16_t replied = 1, unreplied = 2, names = 3;
	uint64_t start;

	(void)state;
	begin(quick);
	loop_turn();
	start = loop_now();
	arrive(&replied, 1, 0, 80);
	arrive(&unreplied, 1, 0, 80);
	arrive(&names, 1, 0, 53);
	answer(&ports[0]);
	answer(&ports[2]);
	turn_until(ports[2].ended == END_IDLE);
	assert_true(loop_now() - start >= 1000);
	assert_int_equal(ports[1].ended, -1);
	turn_until(ports[1].ended == END_IDLE);
	assert_true(loop_now() - start >= 2000);
	assert_int_equal(ports[0].ended, -1);
	turn_until(ports[0].ended == END_IDLE);
	assert_true(loop_now() - start >= 4000);
	assert_int_equal(flow_counters.udp.session_timeouts, 3);
	end();
}

static void test_traffic_beside_names_is_no_name_query(void **state)
{
	static const struct assoc_limits quick = { .max = 64, .idle_s = 60, .unreplied_s = 60, .dns_s = 1 };
	static const uint16_t one = 1, other = 2;

	(void)state;
	begin(quick);
	loop_turn();
	arrive(&one, 1, 0, 53);
	arrive(&other, 1, 0, 53);
	arrive(&other, 1, 1, 443);
	turn_until(ports[0].ended == END_IDLE);
	turns(1100);
	assert_int_equal(ports[1].ended, -1);
	end();
}

/* 3,000 sources that nobody answers pass through a table of 64. */
static void test_a_flood_leaves_working_flows_alone(void **state)
{
	static const uint16_t working[] = { 1, 2, 3, 4, 5 };

	(void)state;
	begin(usual);
	arrive(working, 5, 0, 80);
	for (int i = 0; i < 5; i++)
		answer(&ports[i]);
	turns(5); /* they are the least recently used of all */
	for (uint16_t k = 1000; k < 4000; k++)
		arrive(&k, 1, 0, 80);
	assert_int_equal(flow_counters.udp.sessions_active, 64);
	assert_int_equal(flow_counters.udp.evicted, 3000 - (64 - 5));
	for (int i = 0; i < 5; i++)
		assert_int_equal(ports[i].ended, -1);
	loop_turn();
	end();
}

/* A table full of working flows still lets a new one begin: the oldest goes. */
static void test_a_full_table_makes_room(void **state)
{
	static const struct assoc_limits small = { .max = 16, .idle_s = 300, .unreplied_s = 30, .dns_s = 10 };

	(void)state;
	begin(small);
	for (uint16_t k = 0; k < 16; k++) {
		arrive(&k, 1, 0, 80);
		answer(&ports[k]);
		turns(2);
	}
	arrive((const uint16_t[]){ 0 }, 1, 1, 80); /* in use again */
	arrive((const uint16_t[]){ 99 }, 1, 0, 80);
	assert_int_equal(ports[1].ended, END_EVICTED);
	assert_int_equal(ports[0].ended, -1);
	assert_int_equal(flow_counters.udp.sessions_active, 16);
	end();
}

/* More keys in one batch than the table holds: who left gets nothing more. */
static void test_a_batch_larger_than_the_table(void **state)
{
	static const struct assoc_limits tiny = { .max = 4, .idle_s = 300, .unreplied_s = 30, .dns_s = 10 };
	uint16_t keys[DATAGRAM_BATCH];

	(void)state;
	begin(tiny);
	for (int i = 0; i < DATAGRAM_BATCH; i++)
		keys[i] = (uint16_t)(i % 32);
	arrive(keys, DATAGRAM_BATCH, 0, 80);
	assert_int_equal(flow_counters.udp.sessions_active, 4);
	loop_turn();
	end();
}

static void test_nothing_is_served_after_the_end(void **state)
{
	static const uint16_t one = 1;

	(void)state;
	begin(usual);
	arrive(&one, 1, 0, 80);
	end();
	assert_int_equal(loop_init(), 0);
	arrive(&one, 1, 0, 80);
	assert_int_equal(n_ports, 1);
	loop_free();
}

static enum flow_end open_limit(void *owner, const struct assoc_key *k, struct limits_flow **flow)
{
	struct limits_party p = { .client = k->addr, .has_user = true, .user = k->addr.port };

	return limits_open(owner, &p, flow);
}

/* Over the rate of a user datagrams are dropped and counted, both ways; his associations are capped by his client. */
static void test_limits(void **state)
{
	static const uint16_t keys[] = { 1, 1, 1, 2, 2, 3 };
	struct limits *l = limits_new(&(struct limits_rates){ .user_bytes_per_s = 1, .client_flows = 2 });
	struct datagram big = { .key = key(1), .remote = &remotes[0], .payload = pattern_slice(16384, 0) };
	uint64_t dropped;

	(void)state;
	begin(usual);
	assoc_table_limit(table, open_limit, l);
	arrive(keys, 6, 1, 80);
	assert_int_equal(n_ports, 2); /* the third source is one too many for its address */
	assert_int_equal(refused, 1);
	assert_int_equal(refused_why, END_LIMIT);
	assert_int_equal(flow_counters.limits.client_flows, 1);
	assert_int_equal(flow_counters.udp.dropped_limit, 1);
	assert_int_equal(ports[0].datagrams, 3);
	big.payload.buf->data[0] = 10;
	in.events->receive(in.owner, &big, 1); /* all that he has */
	assert_int_equal(ports[0].datagrams, 4);
	arrive(keys, 5, 20, 80);
	assert_int_equal(flow_counters.udp.dropped_rate, 3);
	assert_int_equal(ports[0].datagrams, 4);
	assert_int_equal(ports[1].datagrams, 4); /* another user */
	dropped = flow_counters.udp.dropped_rate;
	answer(&ports[0]);
	assert_int_equal(back_n, 0);
	assert_int_equal(flow_counters.udp.dropped_rate, dropped + 1);
	answer(&ports[1]);
	assert_int_equal(back_n, 1);
	slice_unref(big.payload);
	limits_free(l); /* its flows keep it */
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_port_per_key_and_batches_stay_together),
		cmocka_unit_test(test_any_remote_may_answer),
		cmocka_unit_test(test_a_port_that_cannot_be_had_is_refused),
		cmocka_unit_test(test_what_a_port_refuses_is_told_whoever_sent_it),
		cmocka_unit_test(test_a_port_that_breaks_ends_its_association_alone),
		cmocka_unit_test(test_idle_times),
		cmocka_unit_test(test_traffic_beside_names_is_no_name_query),
		cmocka_unit_test(test_a_flood_leaves_working_flows_alone),
		cmocka_unit_test(test_a_full_table_makes_room),
		cmocka_unit_test(test_a_batch_larger_than_the_table),
		cmocka_unit_test(test_nothing_is_served_after_the_end),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
