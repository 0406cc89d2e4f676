/*
 * The pool over outbounds of the test's own: a dial that fails goes to the next
 * unseen, a slow one is overtaken, the target's own failure is not; UDP moves on;
 * probes; a reload that keeps what is known and frees what is unused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "loop/loop.h"
#include "outbound/pool.h"

#define MAX 8

static void on_time(struct loop_timer *t)
{
	(void)t;
	loop_stop();
}

static void wait_ms(unsigned ms)
{
	static struct loop_timer timer;

	loop_timer_start(&timer, ms, on_time);
	loop_run();
}

/* ---- a server of the test's own ---- */

struct fake_port {
	struct datagram_port port;
	struct fake *server;
	int sent;
	bool ended;
};

struct fake {
	struct outbound outbound;
	const struct dial_events *events[MAX];
	void *owners[MAX];
	struct target target;
	int dials, cancelled, freed, n_ports;
	bool reached;
	struct fake_port ports[MAX];
};

static struct fake fakes[4];
static struct stream streams[4];

static struct fake *of(struct outbound *o) { return (struct fake *)o; }

static struct dial *fake_connect(struct outbound *o, const struct target *t, const struct dial_events *e, void *owner)
{
	struct fake *f = of(o);

	assert_true(f->dials < MAX);
	f->events[f->dials] = e;
	f->owners[f->dials] = owner;
	f->target = *t;
	f->dials++;
	return (struct dial *)f;
}

static void fake_cancel(struct dial *d) { ((struct fake *)d)->cancelled++; }
static void fake_free(struct outbound *o) { of(o)->freed++; }

static void port_send(struct datagram_port *p, const struct datagram *d, int n)
{
	(void)d;
	((struct fake_port *)p)->sent += n;
}

static void port_end(struct datagram_port *p, enum flow_end why)
{
	(void)why;
	((struct fake_port *)p)->ended = true;
}

static const struct datagram_port_ops port_ops = { .send = port_send, .end = port_end };

static struct datagram_port *fake_port(struct outbound *o)
{
	struct fake *f = of(o);
	struct fake_port *p = &f->ports[f->n_ports++];

	assert_true(f->n_ports <= MAX);
	*p = (struct fake_port){ .port.ops = &port_ops, .server = f };
	return &p->port;
}

static bool fake_reached(const struct dial *d) { return ((const struct fake *)d)->reached; }

static const struct outbound_ops fake_ops = {
	.connect = fake_connect,
	.cancel = fake_cancel,
	.port = fake_port,
	.free = fake_free,
	.reached = fake_reached,
};

static void stream_ended(struct stream *s, enum flow_end why)
{
	(void)why;
	s->owner = NULL;
}

static const struct stream_ops stream_ops = { .end = stream_ended };

/* What the last dial of server i says. */
static void stands(int i)
{
	struct fake *f = &fakes[i];

	streams[i] = (struct stream){ .ops = &stream_ops };
	f->outbound.target_failed = false;
	f->events[f->dials - 1]->opened(f->owners[f->dials - 1], &streams[i]);
}

static void fails(int i, enum flow_end why)
{
	struct fake *f = &fakes[i];

	f->outbound.target_failed = false;
	f->events[f->dials - 1]->failed(f->owners[f->dials - 1], why);
}

/* ---- the app ---- */

static struct outbound *pool;
static struct stream *opened;
static int failed; /* -1: no */

static void on_opened(void *owner, struct stream *s)
{
	assert_ptr_equal(owner, &pool);
	opened = s;
}

static void on_failed(void *owner, enum flow_end why)
{
	assert_ptr_equal(owner, &pool);
	failed = (int)why;
}

static const struct dial_events app_events = { on_opened, on_failed };

static struct dial *app_dials(const char *client)
{
	struct target t;
	struct addr a;

	assert_int_equal(target_parse("example.org:80", &t), 0);
	assert_int_equal(addr_parse_ip(client, 1234, &a), 0);
	opened = NULL;
	failed = -1;
	return outbound_connect(pool, &a, &t, &app_events, &pool);
}

static void members_of(struct pool_member_options *m, int n)
{
	static const char *const names[] = { "a", "b", "c", "d" };

	for (int i = 0; i < n; i++) {
		memset(&fakes[i], 0, sizeof(fakes[i]));
		fakes[i].outbound.ops = &fake_ops;
		fakes[i].outbound.name = names[i];
		m[i] = (struct pool_member_options){ &fakes[i].outbound, names[i], 1000, 1000 };
	}
}

static void begin_with(enum pool_policy policy, int n, uint32_t max_rtt_ms)
{
	struct pool_options o = { .policy = policy, .max_rtt_ms = max_rtt_ms, .interval_ms = 50, .probe_path = "/" };
	struct pool_member_options m[4];

	assert_int_equal(loop_init(), 0);
	members_of(m, n);
	pool = pool_new(pool_prepare(&o, m, n));
	assert_non_null(pool);
}

static void begin(enum pool_policy policy, int n)
{
	begin_with(policy, n, 10000);
}

static void end(int n)
{
	pool->ops->free(pool);
	loop_turn();
	for (int i = 0; i < n; i++)
		assert_int_equal(fakes[i].freed, 1);
	loop_free();
}

static struct outbound_pool_status status(int i)
{
	struct outbound_pool_status s;

	assert_true(outbound_pool_status(pool, i, &s));
	return s;
}

/* ---- TCP ---- */

static void a_dial_that_fails_goes_on_unseen(void **state)
{
	(void)state;
	begin(POOL_FAILCOUNT, 3);
	assert_string_equal(status(0).state, "unknown");
	app_dials("10.0.0.1");
	assert_int_equal(fakes[0].dials, 1);
	assert_int_equal(fakes[1].dials, 0);
	assert_string_equal(fakes[0].target.name, "example.org");
	fails(0, END_REFUSED);
	assert_int_equal(failed, -1);
	fails(1, END_CONNECT_TIMEOUT);
	assert_int_equal(failed, -1);
	stands(2);
	assert_ptr_equal(opened, &streams[2]);
	assert_string_equal(status(0).state, "down");
	assert_int_equal(status(0).tcp_failures, 1);
	assert_string_equal(status(2).state, "up");
	end(3);
}

static void when_all_fail_the_app_hears_the_last_word(void **state)
{
	(void)state;
	begin(POOL_ORDER, 2);
	app_dials("10.0.0.1");
	fails(0, END_REFUSED);
	fails(1, END_UNREACHABLE);
	assert_int_equal(failed, END_UNREACHABLE);
	assert_false(pool->target_failed);
	end(2);
}

static void the_target_s_own_failure_is_the_app_s_at_once(void **state)
{
	(void)state;
	begin(POOL_ORDER, 2);
	app_dials("10.0.0.1");
	fakes[0].outbound.target_failed = true;
	fakes[0].events[0]->failed(fakes[0].owners[0], END_REFUSED);
	assert_int_equal(failed, END_REFUSED);
	assert_true(pool->target_failed);
	assert_int_equal(fakes[1].dials, 0);
	assert_int_equal(status(0).tcp_failures, 0);
	end(2);
}

static void a_slow_server_is_overtaken_and_counted(void **state)
{
	(void)state;
	begin(POOL_ORDER, 2);
	app_dials("10.0.0.1");
	wait_ms(1300);
	assert_int_equal(fakes[1].dials, 0);
	wait_ms(400);
	assert_int_equal(fakes[1].dials, 1);
	stands(1);
	assert_ptr_equal(opened, &streams[1]);
	assert_int_equal(fakes[0].cancelled, 1);
	assert_int_equal(status(0).tcp_failures, 1);
	/* and is asked last from now on */
	app_dials("10.0.0.1");
	assert_int_equal(fakes[0].dials, 1);
	assert_int_equal(fakes[1].dials, 2);
	stands(1);
	end(2);
}

static void a_slow_target_is_not_the_server_s_fault(void **state)
{
	(void)state;
	begin(POOL_ORDER, 2);
	app_dials("10.0.0.1");
	fakes[0].reached = true;
	wait_ms(1700);
	assert_int_equal(fakes[1].dials, 0);
	fails(0, END_CONNECT_TIMEOUT); /* the server's own after all */
	assert_int_equal(fakes[1].dials, 1);
	stands(1);
	end(2);
}

static void an_app_that_leaves_takes_all_tries_with_it(void **state)
{
	struct dial *d;

	(void)state;
	begin(POOL_ORDER, 2);
	d = app_dials("10.0.0.1");
	pool->ops->cancel(d);
	assert_int_equal(fakes[0].cancelled, 1);
	wait_ms(1600);
	assert_int_equal(fakes[1].dials, 0);
	assert_int_equal(failed, -1);
	end(2);
}

static void a_client_sticks_to_its_server(void **state)
{
	int who[14], first[3] = { 0 };

	(void)state;
	begin(POOL_STICKY, 3);
	for (int round = 0; round < 2; round++) {
		for (int c = 0; c < 14; c++) {
			char client[32];

			for (int i = 0; i < 3; i++)
				fakes[i].dials = 0;
			snprintf(client, sizeof(client), "10.0.0.%d", c + 1);
			app_dials(client);
			for (int i = 0; i < 3; i++)
				if (fakes[i].dials) {
					if (round == 0)
						who[c] = i, first[i]++;
					assert_int_equal(who[c], i);
					stands(i);
				}
		}
	}
	assert_true(first[0] < 14 && first[1] < 14 && first[2] < 14);
	end(3);
}

/* ---- UDP ---- */

static int received;

static void on_receive(void *owner, const struct datagram *d, int n)
{
	(void)owner, (void)d;
	received += n;
}

static void on_port_ended(void *owner, enum flow_end why)
{
	(void)owner, (void)why;
	fail_msg("the port ended");
}

static const struct datagram_events port_events = { on_receive, on_port_ended, NULL };

static struct datagram_port *app_port(void)
{
	struct addr a;
	struct datagram_port *p;

	assert_int_equal(addr_parse_ip("10.0.0.1", 1234, &a), 0);
	p = outbound_port(pool, &a);
	assert_non_null(p);
	datagram_bind(p, &port_events, NULL);
	return p;
}

static void app_sends(struct datagram_port *p)
{
	struct target t;
	struct datagram d = { .remote = &t };

	assert_int_equal(target_parse("192.0.2.1:53", &t), 0);
	datagram_send(p, &d, 1);
}

static void answers(struct fake_port *p)
{
	struct datagram d = { 0 };

	p->server->outbound.seen.udp_heard_ms = loop_now();
	p->port.events->receive(p->port.owner, &d, 1);
}

static void an_association_leaves_a_server_that_nobody_listens_at(void **state)
{
	struct datagram_port *p;

	(void)state;
	begin(POOL_FAILCOUNT, 2);
	p = app_port();
	app_sends(p);
	answers(&fakes[0].ports[0]);
	assert_int_equal(received, 1);
	assert_int_equal(fakes[0].ports[0].sent, 1);
	wait_ms(5);
	fakes[0].outbound.seen.udp_refusals++;
	app_sends(p);
	assert_true(fakes[0].ports[0].ended);
	assert_int_equal(fakes[1].ports[0].sent, 1);
	answers(&fakes[1].ports[0]);
	assert_int_equal(received, 2);
	assert_int_equal(status(0).udp_failures, 1);
	assert_int_equal(status(1).udp_failures, 0);
	/* it stays there, whatever became of the first */
	wait_ms(5);
	app_sends(p);
	assert_int_equal(fakes[1].ports[0].sent, 2);
	datagram_end(p, END_DONE);
	assert_true(fakes[1].ports[0].ended);
	end(2);
}

static void an_association_leaves_silence(void **state)
{
	struct datagram_port *p, *other;

	(void)state;
	begin(POOL_ORDER, 2);
	p = app_port();
	other = app_port();
	for (int i = 0; i < 3; i++)
		app_sends(p);
	wait_ms(4000);
	app_sends(p);
	assert_false(fakes[0].ports[0].ended); /* not yet */
	wait_ms(1200);
	app_sends(p);
	assert_true(fakes[0].ports[0].ended);
	assert_int_equal(fakes[1].ports[0].sent, 1);
	app_sends(other); /* goes with it: the server is known to be dead */
	assert_int_equal(fakes[1].ports[1].sent, 1);
	assert_int_equal(status(0).udp_failures, 1); /* once for both */
	datagram_end(p, END_DONE);
	datagram_end(other, END_DONE);
	end(2);
}

static void an_only_server_s_port_is_handed_out_itself(void **state)
{
	struct datagram_port *p;

	(void)state;
	begin(POOL_LATENCY, 1);
	p = app_port();
	assert_ptr_equal(p, &fakes[0].ports[0].port);
	wait_ms(300);
	assert_int_equal(fakes[0].dials, 0); /* and nothing is probed */
	end(1);
}

/* ---- probes and reload ---- */

static void probes_find_the_near_one(void **state)
{
	(void)state;
	begin(POOL_LATENCY, 2);
	while (!fakes[1].dials)
		wait_ms(1);
	assert_int_equal(target_port(&fakes[1].target), 0); /* the way alone */
	stands(1);
	assert_null(streams[1].owner);
	while (!fakes[0].dials)
		wait_ms(1);
	wait_ms(500);
	stands(0);
	assert_true(status(0).tcp_rtt_ms >= 500);
	assert_true(status(1).tcp_score < status(0).tcp_score);
	fakes[0].dials = fakes[1].dials = 0;
	app_dials("10.0.0.1"); /* before the next probe of either */
	assert_int_equal(fakes[1].dials, 1);
	assert_int_equal(fakes[0].dials, 0);
	stands(1);
	end(2);
}

static void a_probe_without_an_answer_is_a_failure(void **state)
{
	(void)state;
	begin_with(POOL_LATENCY, 2, 300);
	while (!status(0).tcp_failures || !status(1).tcp_failures)
		wait_ms(20);
	assert_true(fakes[0].cancelled >= 1);
	assert_string_equal(status(0).state, "down");
	end(2);
}

static void a_reload_keeps_what_is_known_and_what_stands(void **state)
{
	struct pool_options o = { .policy = POOL_ORDER, .max_rtt_ms = 1000, .interval_ms = 1000, .probe_path = "/" };
	struct fake again = { .outbound = { .ops = &fake_ops, .name = "b" } };
	struct pool_member_options m = { &again.outbound, "b", 1000, 1000 };
	struct datagram_port *p;
	struct dial *d;

	(void)state;
	begin(POOL_ORDER, 2);
	app_dials("10.0.0.1");
	fails(0, END_REFUSED);
	stands(1);
	fakes[1].outbound.seen.up = 1000;
	p = app_port();
	app_sends(p);
	d = app_dials("10.0.0.1"); /* server b, still dialing */
	assert_int_equal(fakes[1].dials, 2);
	pool_apply(pool, pool_prepare(&o, &m, 1));
	assert_int_equal(fakes[0].freed, 0); /* the dial's second choice */
	assert_int_equal(fakes[1].freed, 0);
	again.outbound.seen.up = 5;
	assert_int_equal(status(0).up, 1005);
	assert_string_equal(status(0).state, "up");
	app_sends(p);
	assert_int_equal(fakes[1].ports[0].sent, 2); /* an association stays */
	stands(1);
	assert_ptr_equal(opened, &streams[1]);
	(void)d;
	loop_turn();
	assert_int_equal(fakes[0].freed, 1);
	assert_int_equal(fakes[1].freed, 0); /* the association's */
	app_dials("10.0.0.1"); /* a new flow goes to the new one */
	assert_int_equal(again.dials, 1);
	again.events[0]->failed(again.owners[0], END_REFUSED);
	assert_int_equal(failed, END_REFUSED);
	datagram_end(p, END_DONE);
	loop_turn();
	assert_int_equal(fakes[1].freed, 1);
	pool->ops->free(pool);
	loop_turn();
	assert_int_equal(again.freed, 1);
	loop_free();
}

static void a_dial_goes_on_to_servers_that_a_reload_has_replaced(void **state)
{
	struct pool_options o = { .policy = POOL_ORDER, .max_rtt_ms = 1000, .interval_ms = 1000, .probe_path = "/" };
	struct fake again = { .outbound = { .ops = &fake_ops, .name = "c" } };
	struct pool_member_options m = { &again.outbound, "c", 1000, 1000 };

	(void)state;
	begin(POOL_ORDER, 3);
	app_dials("10.0.0.1");
	pool_apply(pool, pool_prepare(&o, &m, 1));
	loop_turn();
	assert_int_equal(fakes[1].freed, 0); /* it has yet to be asked */
	fails(0, END_REFUSED);
	assert_int_equal(fakes[1].dials, 1);
	fails(1, END_REFUSED);
	stands(2);
	assert_ptr_equal(opened, &streams[2]);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fakes[i].freed, 0); /* not while they tell */
	end(3);
	assert_int_equal(again.freed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dial_that_fails_goes_on_unseen),
		cmocka_unit_test(when_all_fail_the_app_hears_the_last_word),
		cmocka_unit_test(the_target_s_own_failure_is_the_app_s_at_once),
		cmocka_unit_test(a_slow_server_is_overtaken_and_counted),
		cmocka_unit_test(a_slow_target_is_not_the_server_s_fault),
		cmocka_unit_test(an_app_that_leaves_takes_all_tries_with_it),
		cmocka_unit_test(a_client_sticks_to_its_server),
		cmocka_unit_test(an_association_leaves_a_server_that_nobody_listens_at),
		cmocka_unit_test(an_association_leaves_silence),
		cmocka_unit_test(an_only_server_s_port_is_handed_out_itself),
		cmocka_unit_test(probes_find_the_near_one),
		cmocka_unit_test(a_probe_without_an_answer_is_a_failure),
		cmocka_unit_test(a_reload_keeps_what_is_known_and_what_stands),
		cmocka_unit_test(a_dial_goes_on_to_servers_that_a_reload_has_replaced),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
