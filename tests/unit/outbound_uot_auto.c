/* The port that goes by UDP or in TCP: what the application hears is one way's
 * answers, whichever works, and both ways' ports are given back. */
#include "udp_helpers.h"

#include "outbound/uot_auto.h"

#define PORTS 64

struct fake {
	struct datagram_port port;
	int sent;
	bool ended;
};

static struct fake udp[PORTS], tcp[PORTS];
static int n_udp, n_tcp, heard, broke, opened, gone;
static uint64_t tcp_heard_ms;
static struct uot_auto both;

static void fake_send(struct datagram_port *p, const struct datagram *d, int n)
{
	struct fake *f = (struct fake *)p;

	(void)d;
	assert_false(f->ended);
	f->sent += n;
}

static void fake_end(struct datagram_port *p, enum flow_end why)
{
	struct fake *f = (struct fake *)p;

	(void)why;
	assert_false(f->ended);
	f->ended = true;
}

static const struct datagram_port_ops fake_ops = { .send = fake_send, .end = fake_end };

static struct datagram_port *new_udp(void *owner)
{
	(void)owner;
	udp[n_udp] = (struct fake){ .port.ops = &fake_ops };
	return &udp[n_udp++].port;
}

static struct datagram_port *new_tcp(void *owner)
{
	(void)owner;
	tcp[n_tcp] = (struct fake){ .port.ops = &fake_ops };
	return &tcp[n_tcp++].port;
}

static void on_receive(void *owner, const struct datagram *d, int n)
{
	(void)owner, (void)d;
	heard += n;
}

static void on_ended(void *owner, enum flow_end why)
{
	(void)owner, (void)why;
	broke++;
}

static void on_port_gone(void *owner)
{
	(void)owner;
	gone++;
}

static const struct datagram_events events = { on_receive, on_ended, NULL };

static int set_up(void **state)
{
	(void)state;
	n_udp = n_tcp = heard = broke = opened = gone = 0;
	assert_int_equal(loop_init(), 0);
	uot_auto_init(&both, &(struct uot_auto_options){ "test", &tcp_heard_ms, new_udp, new_tcp, on_port_gone, NULL });
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < n_udp; i++)
		assert_true(udp[i].ended);
	for (int i = 0; i < n_tcp; i++)
		assert_true(tcp[i].ended);
	assert_int_equal(both.racers, 0);
	assert_int_equal(gone, opened);
	loop_turn();
	uot_auto_end(&both);
	loop_free();
	return 0;
}

static struct datagram_port *open_port(void)
{
	struct datagram_port *p = uot_auto_port(&both);

	assert_non_null(p);
	opened++;
	datagram_bind(p, &events, NULL);
	return p;
}

static void say(struct datagram_port *p)
{
	struct slice bytes = pattern_slice(3, 0);
	struct addr a = loopback4(53);
	struct target to;
	struct datagram d = { .remote = &to, .payload = bytes };

	target_from_addr(&to, &a);
	datagram_send(p, &d, 1);
	slice_unref(bytes);
}

static void answer(struct fake *f)
{
	struct slice bytes = pattern_slice(3, 0);
	struct datagram d = { .payload = bytes };

	assert_false(f->ended);
	f->port.events->receive(f->port.owner, &d, 1);
	slice_unref(bytes);
}

/* The breaker as silence leaves it. */
static void trip(bool open)
{
	both.breaker.state = open ? BREAKER_OPEN : BREAKER_HALF_OPEN;
	both.breaker.was_open = false;
	both.breaker.retry_ms = UINT64_MAX;
}

static void while_udp_answers_there_is_no_tcp(void **state)
{
	struct datagram_port *p = open_port();

	(void)state;
	say(p);
	answer(&udp[0]);
	say(p);
	assert_int_equal(udp[0].sent, 2);
	assert_int_equal(heard, 1);
	assert_int_equal(n_tcp, 0);
	datagram_end(p, END_DONE);
}

static void an_open_breaker_sends_all_by_tcp(void **state)
{
	struct datagram_port *old = open_port(), *new;

	(void)state;
	say(old);
	trip(true);
	new = open_port();
	say(new);
	assert_int_equal(n_udp, 1);
	assert_int_equal(tcp[0].sent, 1);
	say(old); /* it has heard nothing either: it goes over */
	assert_true(udp[0].ended);
	assert_int_equal(tcp[1].sent, 1);
	answer(&tcp[1]);
	assert_int_equal(heard, 1);
	assert_int_equal(both.breaker.state, BREAKER_OPEN);
	datagram_end(old, END_DONE);
	datagram_end(new, END_DONE);
}

static void udp_wins_a_race(void **state)
{
	struct datagram_port *p;

	(void)state;
	trip(false);
	p = open_port();
	say(p);
	assert_int_equal(udp[0].sent, 1);
	assert_int_equal(tcp[0].sent, 1);
	assert_int_equal(both.racers, 1);
	answer(&udp[0]);
	assert_int_equal(heard, 1);
	assert_true(tcp[0].ended);
	assert_int_equal(both.breaker.state, BREAKER_CLOSED);
	assert_int_equal(both.racers, 0);
	say(p);
	assert_int_equal(udp[0].sent, 2);
	datagram_end(p, END_DONE);
}

static void tcp_wins_a_race(void **state)
{
	struct datagram_port *p;

	(void)state;
	trip(false);
	p = open_port();
	say(p);
	answer(&tcp[0]);
	assert_int_equal(heard, 1);
	assert_int_equal(both.breaker.state, BREAKER_HALF_OPEN); /* UDP has its last chance */
	say(p);
	assert_int_equal(udp[0].sent, 1);
	assert_int_equal(tcp[0].sent, 2);
	turn_until(both.breaker.state == BREAKER_OPEN);
	assert_true(udp[0].ended);
	assert_int_equal(both.racers, 0);
	answer(&tcp[0]);
	assert_int_equal(heard, 2);
	datagram_end(p, END_DONE);
}

/* TCP was first by chance: the application hears it once, and UDP works. */
static void udp_comes_second(void **state)
{
	struct datagram_port *p;

	(void)state;
	trip(false);
	p = open_port();
	say(p);
	answer(&tcp[0]);
	answer(&udp[0]);
	assert_int_equal(heard, 1);
	assert_true(udp[0].ended);
	assert_int_equal(both.breaker.state, BREAKER_CLOSED);
	say(p);
	assert_int_equal(tcp[0].sent, 2);
	datagram_end(p, END_DONE);
}

static void few_race_at_a_time(void **state)
{
	struct datagram_port *p[12];

	(void)state;
	trip(false);
	both.breaker.was_open = true;
	for (int i = 0; i < 12; i++)
		say(p[i] = open_port());
	assert_int_equal(both.racers, 4);
	assert_int_equal(n_udp, 4);
	assert_int_equal(n_tcp, 12); /* UDP was silent before: who does not race takes TCP */
	for (int i = 0; i < 12; i++)
		datagram_end(p[i], END_DONE);
}

static void a_way_that_breaks_leaves_the_other(void **state)
{
	struct datagram_port *p;

	(void)state;
	trip(false);
	p = open_port();
	say(p);
	tcp[0].port.events->ended(tcp[0].port.owner, END_LIMIT);
	assert_int_equal(broke, 0);
	udp[0].port.events->ended(udp[0].port.owner, END_LIMIT);
	assert_int_equal(broke, 1);
	datagram_end(p, END_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(while_udp_answers_there_is_no_tcp, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_open_breaker_sends_all_by_tcp, set_up, tear_down),
		cmocka_unit_test_setup_teardown(udp_wins_a_race, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tcp_wins_a_race, set_up, tear_down),
		cmocka_unit_test_setup_teardown(udp_comes_second, set_up, tear_down),
		cmocka_unit_test_setup_teardown(few_race_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_way_that_breaks_leaves_the_other, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
