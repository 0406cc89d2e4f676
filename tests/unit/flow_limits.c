/*
 * Limits per client and user: flows that always want more share a rate equally
 * and use it up; a /64 is one client; caps and rates of flows refuse and count;
 * a user's own limit wins; nothing is remembered for ever.
 *
 * Time is the loop's own. Bounds are of what the clock says has passed, so a slow
 * machine makes a test longer and not wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "flow/counters.h"
#include "flow/limits.h"
#include "loop/loop.h"

#define FLOWS 3

struct greedy {
	struct limits_flow *flow;
	uint64_t passed[2];
	int turns;
	bool ready[2]; /* may ask */
};

static struct limits *l;
static struct greedy greedy[FLOWS];
static uint64_t began_ms;

static int set_up(void **state)
{
	(void)state;
	memset(greedy, 0, sizeof(greedy));
	flow_counters_reset();
	return loop_init();
}

static int tear_down(void **state)
{
	(void)state;
	loop_turn();
	loop_free();
	return 0;
}

static void begin(struct limits_rates r)
{
	l = limits_new(&r);
	assert_non_null(l);
	began_ms = loop_now();
}

static struct limits_party client(const char *ip)
{
	struct limits_party p = { .has_user = false };

	assert_int_equal(addr_parse_ip(ip, 1234, &p.client), 0);
	return p;
}

static struct limits_party user(const char *ip, uint64_t number)
{
	struct limits_party p = client(ip);

	p.has_user = true;
	p.user = number;
	return p;
}

static void on_resume(void *owner, int direction)
{
	struct greedy *g = owner;

	g->turns++;
	g->ready[direction] = true;
}

static void open_greedy(int i, struct limits_party p)
{
	struct greedy *g = &greedy[i];

	assert_int_equal(limits_open(l, &p, &g->flow), END_DONE);
	assert_non_null(g->flow);
	limits_bind(g->flow, on_resume, g);
	g->ready[0] = g->ready[1] = true;
}

static void take_some(struct greedy *g, int direction, size_t most)
{
	size_t n;

	if (!g->ready[direction])
		return;
	n = limits_ask(g->flow, direction, most);
	limits_charge(g->flow, n);
	g->passed[direction] += n;
	g->ready[direction] = n == most;
}

/* Everybody takes all he may in both directions until so many bytes went through. */
static uint64_t drain(int n, uint64_t until, size_t most)
{
	uint64_t all = 0;

	while (all < until) {
		all = 0;
		for (int i = 0; i < n; i++) {
			take_some(&greedy[i], 0, most);
			take_some(&greedy[i], 1, most);
			all += greedy[i].passed[0] + greedy[i].passed[1];
		}
		loop_turn();
		usleep(500);
	}
	return loop_now() - began_ms;
}

static void close_greedy(int n)
{
	for (int i = 0; i < n; i++)
		limits_close(greedy[i].flow);
}

static void a_rate_is_kept_and_used(void **state)
{
	const uint32_t rate = 1000000;
	uint64_t ms, all;

	(void)state;
	begin((struct limits_rates){ .client_bytes_per_s = rate });
	open_greedy(0, client("192.0.2.1"));
	ms = drain(1, 600000, 65536);
	all = greedy[0].passed[0] + greedy[0].passed[1];
	assert_true(all <= rate / 4 + ms * rate / 1000 + 1);
	assert_true(ms >= 349); /* 250,000 at once, the rest at the rate */
	assert_true(greedy[0].turns < 2 * (int)ms / 5 + 4); /* no busy loop */
	close_greedy(1);
	limits_free(l);
}

static void flows_of_a_client_share_equally(void **state)
{
	uint64_t least = UINT64_MAX, most = 0;

	(void)state;
	begin((struct limits_rates){ .client_bytes_per_s = 1000000 });
	for (int i = 0; i < FLOWS; i++)
		open_greedy(i, client("192.0.2.1"));
	/* What could pass at once went to whoever asked first; from then on all are equal. */
	drain(FLOWS, 250000, 65536);
	for (int i = 0; i < FLOWS; i++)
		greedy[i].passed[0] = greedy[i].passed[1] = 0;
	drain(FLOWS, 1000000, 65536);
	for (int i = 0; i < FLOWS; i++) {
		uint64_t own = greedy[i].passed[0] + greedy[i].passed[1];

		least = own < least ? own : least;
		most = own > most ? own : most;
	}
	assert_true(least * 10 >= most * 7);
	close_greedy(FLOWS);
	limits_free(l);
}

/* One that asks all the time, turn or not (a target with room does so), gets no more than others. Turns before which
 * this process was kept waiting do not count: what the bucket gained meanwhile is rightly his who comes first. */
static void who_pushes_ahead_gains_nothing(void **state)
{
	uint64_t pushy = 0, patient = 0, last_ms;

	(void)state;
	begin((struct limits_rates){ .client_bytes_per_s = 1000000 });
	for (int i = 0; i < 2; i++)
		open_greedy(i, client("192.0.2.1"));
	drain(2, 250000, 65536);
	last_ms = loop_now();
	while (pushy + patient < 600000 && loop_now() - began_ms < 20000) {
		bool waited = loop_now() - last_ms > 20;

		last_ms = loop_now();
		for (int i = 0; i < 2; i++)
			greedy[i].passed[0] = 0;
		for (int i = 0; i < 50; i++) {
			greedy[0].ready[0] = true;
			take_some(&greedy[0], 0, 65536);
		}
		take_some(&greedy[1], 0, 65536);
		loop_turn();
		usleep(500);
		pushy += waited ? 0 : greedy[0].passed[0];
		patient += waited ? 0 : greedy[1].passed[0];
	}
	close_greedy(2);
	limits_free(l);
	if (pushy + patient < 100000)
		skip(); /* a machine that never lets it run tells nothing */
	assert_true(patient * 10 >= pushy * 7);
}

static void another_client_is_not_held_back(void **state)
{
	(void)state;
	begin((struct limits_rates){ .client_bytes_per_s = 100000 });
	open_greedy(0, client("2001:db8:1:2::1"));
	drain(1, 25000, 65536);
	open_greedy(1, client("2001:db8:1:2:ffff::2")); /* the same /64 */
	assert_int_equal(limits_ask(greedy[1].flow, 0, 1000), 0);
	open_greedy(2, client("2001:db8:1:3::1"));
	assert_int_equal(limits_ask(greedy[2].flow, 0, 1000), 1000);
	assert_int_equal(limits_accounts(l), 2);
	close_greedy(3);
	limits_free(l);
}

/* Both accounts bind: the user's rate is spent from anywhere. */
static void a_user_is_limited_from_wherever_he_comes(void **state)
{
	struct limits_party rich = user("192.0.2.3", 8);

	(void)state;
	rich.user_bytes_per_s = 4000000;
	begin((struct limits_rates){ .client_bytes_per_s = 1000000, .user_bytes_per_s = 100000 });
	open_greedy(0, user("192.0.2.1", 7));
	open_greedy(1, user("192.0.2.2", 7));
	open_greedy(2, rich);
	drain(2, 40000, 65536);
	assert_true(greedy[0].passed[0] + greedy[1].passed[0] + greedy[0].passed[1] + greedy[1].passed[1] <=
		    25000 + (loop_now() - began_ms) * 100 + 1);
	assert_int_equal(limits_ask(greedy[2].flow, 0, 200000), 200000); /* his own limit, and his client's */
	close_greedy(3);
	limits_free(l);
}

static void new_flows_are_refused_over_the_rate(void **state)
{
	struct limits_party p = client("192.0.2.1");
	struct limits_flow *f[20];
	int n = 0;

	(void)state;
	begin((struct limits_rates){ .client_flows_per_s = 2 });
	while (n < 20 && limits_open(l, &p, &f[n]) == END_DONE)
		n++;
	assert_in_range(n, 10, 12); /* five seconds' worth */
	assert_int_equal(flow_counters.limits.client_flow_rate, 1);
	assert_int_equal(limits_admit(l, &p.client), END_LIMIT);
	assert_int_equal(flow_counters.limits.client_flow_rate, 2);
	while (limits_admit(l, &p.client) != END_DONE) { /* half a second */
		loop_turn();
		usleep(5000);
		assert_true(loop_now() - began_ms < 3000);
	}
	for (int i = 0; i < n; i++)
		limits_close(f[i]);
	limits_free(l);
}

static void a_cap_counts_what_stands(void **state)
{
	struct limits_party p = user("192.0.2.1", 1), other = user("192.0.2.2", 1);
	struct limits_flow *a, *b, *c;

	(void)state;
	begin((struct limits_rates){ .client_flows = 2 });
	assert_int_equal(limits_admit(l, &p.client), END_DONE);
	assert_int_equal(limits_open(l, &p, &a), END_DONE);
	assert_int_equal(limits_open(l, &p, &b), END_DONE);
	assert_int_equal(limits_open(l, &p, &c), END_LIMIT);
	assert_null(c);
	assert_int_equal(limits_admit(l, &p.client), END_LIMIT);
	assert_int_equal(flow_counters.limits.client_flows, 2);
	assert_int_equal(limits_open(l, &other, &c), END_DONE);
	limits_close(c);
	limits_close(a);
	assert_int_equal(limits_open(l, &p, &a), END_DONE);
	limits_close(a);
	limits_close(b);
	limits_free(l);
}

static void datagrams_over_the_rate_do_not_pass(void **state)
{
	struct limits_party p = client("192.0.2.1");
	struct limits_flow *f;
	uint64_t passed = 0;

	(void)state;
	begin((struct limits_rates){ .client_bytes_per_s = 100000 });
	assert_int_equal(limits_open(l, &p, &f), END_DONE);
	assert_true(limits_pass(f, 65000)); /* the largest passes whatever the rate, */
	assert_false(limits_pass(f, 1));    /* and is paid for */
	while (passed < 20000) {
		passed += limits_pass(f, 1000) ? 1000 : 0;
		loop_turn();
		usleep(500);
	}
	assert_true(loop_now() - began_ms >= 580); /* 40,000 of debt and 19,000 more, at 100 a ms */
	limits_close(f);
	limits_free(l);
}

/* A flood of datagrams and a flow of TCP under one rate: each gets its part. */
static void datagrams_and_streams_do_not_starve_each_other(void **state)
{
	struct limits_party p = client("192.0.2.1");
	struct limits_flow *f;
	uint64_t datagrams = 0, bytes = 0;

	(void)state;
	begin((struct limits_rates){ .client_bytes_per_s = 1000000 });
	open_greedy(0, p);
	assert_int_equal(limits_open(l, &p, &f), END_DONE);
	drain(1, 250000, 65536);
	bytes = greedy[0].passed[0] + greedy[0].passed[1];
	while (loop_now() - began_ms < 600 || datagrams + greedy[0].passed[0] + greedy[0].passed[1] < 500000) {
		for (int i = 0; i < 400 && limits_pass(f, 1200); i++)
			datagrams += 1200;
		take_some(&greedy[0], 0, 65536);
		take_some(&greedy[0], 1, 65536);
		loop_turn();
		usleep(500);
	}
	bytes = greedy[0].passed[0] + greedy[0].passed[1] - bytes;
	assert_true(bytes > datagrams / 5);
	assert_true(datagrams > bytes / 5);
	limits_close(f);
	close_greedy(1);
	limits_free(l);
}

static void nothing_limited_costs_nothing(void **state)
{
	struct limits_party p = user("192.0.2.1", 1);
	struct limits_flow *f;

	(void)state;
	assert_int_equal(limits_open(NULL, &p, &f), END_DONE);
	assert_null(f);
	assert_int_equal(limits_admit(NULL, &p.client), END_DONE);
	begin((struct limits_rates){ 0 });
	assert_int_equal(limits_open(l, &p, &f), END_DONE);
	assert_null(f);
	assert_int_equal(limits_accounts(l), 0);
	limits_close(f);
	limits_free(l);
}

static void rates_change_under_a_flow_that_waits(void **state)
{
	(void)state;
	begin((struct limits_rates){ .client_bytes_per_s = 20000 });
	open_greedy(0, client("192.0.2.1"));
	drain(1, 16384, 65536);
	take_some(&greedy[0], 0, 65536);
	assert_false(greedy[0].ready[0]);
	limits_set(l, &(struct limits_rates){ 0 });
	while (!greedy[0].ready[0]) {
		loop_turn();
		usleep(1000);
		assert_true(loop_now() - began_ms < 5000);
	}
	assert_int_equal(limits_ask(greedy[0].flow, 0, 10000000), 10000000);
	limits_free(l); /* before its flow: it stays for as long as that */
	close_greedy(1);
}

/* Whatever is asked in whatever order, nobody gets more than the buckets held: flows that come and go,
 * wait and push, datagrams, and rates that change meanwhile. The sanitizer watches the rest. */
static void any_order_is_right(void **state)
{
	static struct greedy many[24];
	uint64_t passed = 0, ms, most_rate = 0;
	uint32_t seed = 12345;

	(void)state;
	begin((struct limits_rates){ .client_bytes_per_s = 200000, .user_bytes_per_s = 300000, .client_flows = 6 });
	memset(many, 0, sizeof(many));
	most_rate = 200000;
	for (int step = 0; step < 60000; step++) {
		struct greedy *g = &many[(seed = seed * 1103515245 + 12345) >> 16 & 15];
		uint32_t dice = (seed = seed * 1103515245 + 12345) >> 16 & 1023, bytes = seed >> 8 & 4095;
		char ip[] = "192.0.2.1";

		ip[8] = (char)('1' + (g - many) % 3);
		if (!g->flow && dice < 64) {
			struct limits_party p = user(ip, (uint64_t)(g - many) % 2);

			if (limits_open(l, &p, &g->flow) == END_DONE && g->flow)
				limits_bind(g->flow, on_resume, g);
		} else if (g->flow && dice < 8) {
			limits_close(g->flow);
			g->flow = NULL;
		} else if (g->flow && dice < 500) {
			size_t n = limits_ask(g->flow, dice & 1, bytes);

			assert_true(n <= bytes);
			n = dice & 2 ? n : n / 2; /* the target has less room */
			limits_charge(g->flow, n);
			passed += n;
		} else if (g->flow && dice < 900) {
			passed += limits_pass(g->flow, bytes) ? bytes : 0;
		} else if (dice == 1000) {
			limits_set(l, &(struct limits_rates){ .client_bytes_per_s = 100000 + bytes, .client_flows = 6 });
		}
		if (step % 500 == 0) {
			loop_turn();
			usleep(1000);
		}
	}
	ms = loop_now() - began_ms + 1;
	/* Three clients: their buckets, their rates, and the debt of a datagram each for every refill. */
	assert_true(passed <= 3 * (50000 + most_rate * ms / 1000 + 4096 * (ms + 2)));
	assert_true(passed > 3 * 20000);
	assert_in_range(limits_accounts(l), 1, 5);
	for (int i = 0; i < 24; i++)
		limits_close(many[i].flow);
	limits_free(l);
}

static void memory_is_bounded_by_the_flows_that_stand(void **state)
{
	struct limits_party p = client("192.0.2.1");
	struct limits_flow *first, *f, *more[4];

	(void)state;
	begin((struct limits_rates){ .client_flows = 5 });
	assert_int_equal(limits_open(l, &p, &first), END_DONE);
	for (uint32_t i = 0; i < 70000; i++) {
		p.client.ip.bytes[0] = 10;
		memcpy(p.client.ip.bytes + 1, &i, 3);
		assert_int_equal(limits_open(l, &p, &f), END_DONE);
		limits_close(f);
	}
	assert_int_equal(limits_accounts(l), 65536);
	p = client("192.0.2.1");
	for (int i = 0; i < 4; i++)
		assert_int_equal(limits_open(l, &p, &more[i]), END_DONE); /* still known: the fifth of five, */
	assert_int_equal(limits_open(l, &p, &f), END_LIMIT);	    /* and no sixth */
	for (int i = 0; i < 4; i++)
		limits_close(more[i]);
	limits_close(first);
	limits_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_rate_is_kept_and_used, set_up, tear_down),
		cmocka_unit_test_setup_teardown(flows_of_a_client_share_equally, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_pushes_ahead_gains_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_client_is_not_held_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_user_is_limited_from_wherever_he_comes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(new_flows_are_refused_over_the_rate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_cap_counts_what_stands, set_up, tear_down),
		cmocka_unit_test_setup_teardown(datagrams_over_the_rate_do_not_pass, set_up, tear_down),
		cmocka_unit_test_setup_teardown(datagrams_and_streams_do_not_starve_each_other, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_limited_costs_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rates_change_under_a_flow_that_waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(any_order_is_right, set_up, tear_down),
		cmocka_unit_test_setup_teardown(memory_is_bounded_by_the_flows_that_stand, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
