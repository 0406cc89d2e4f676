/*
 * The relay between two streams of the test's own: what one side does not take
 * stays with the other, FIN goes each way by itself, any other end goes to both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/relay.h"
#include "loop/loop.h"

struct fake {
	struct stream stream;
	size_t room, written;
	bool accepted, want_data, want_room, shut;
	int ended; /* -1: not yet */
};

static struct fake in, out;
static const struct dial_events *dialer;
static void *dialing;
static bool cancelled;

static void fake_accept(struct stream *s) { ((struct fake *)s)->accepted = true; }
static size_t fake_space(const struct stream *s) { return ((const struct fake *)s)->room; }
static void fake_shut(struct stream *s) { ((struct fake *)s)->shut = true; }
static void fake_end(struct stream *s, enum flow_end why) { ((struct fake *)s)->ended = (int)why; }

static ssize_t fake_write(struct stream *s, const struct slice *v, int n)
{
	struct fake *f = (struct fake *)s;
	size_t len = slices_len(v, n), taken = len < f->room ? len : f->room;

	f->room -= taken;
	f->written += taken;
	return (ssize_t)taken;
}

static void fake_want(struct stream *s, bool data, bool room)
{
	((struct fake *)s)->want_data = data;
	((struct fake *)s)->want_room = room;
}

static const struct stream_ops fake_ops = {
	.accept = fake_accept,
	.write = fake_write,
	.space = fake_space,
	.want = fake_want,
	.shut = fake_shut,
	.end = fake_end,
};

static struct dial *fake_connect(struct outbound *o, const struct target *t, const struct dial_events *e, void *owner)
{
	(void)o, (void)t;
	dialer = e;
	dialing = owner;
	return (struct dial *)&dialing;
}

static void fake_cancel(struct dial *d)
{
	(void)d;
	cancelled = true;
}

static const struct outbound_ops outbound_ops = { .connect = fake_connect, .cancel = fake_cancel };
static struct outbound outbound = { .ops = &outbound_ops, .name = "fake" };

static void begin(void)
{
	struct target t;
	struct addr client = { 0 };

	target_parse("example.org:80", &t);
	relay_start(&in.stream, &client, &t, &outbound);
}

static void joined(void)
{
	begin();
	dialer->opened(dialing, &out.stream);
}

static size_t offer(struct fake *f, uint32_t len)
{
	struct buf *b = buf_get(len);
	struct slice s = { b, 0, len };
	size_t taken;

	memset(b->data, 0, len);
	taken = f->stream.events->data(f->stream.owner, &s, 1);
	buf_unref(b);
	return taken;
}

static int set_up(void **state)
{
	struct relay_limits limits = { .max_flows = 1, .half_close_idle_s = 1 };

	(void)state;
	in = (struct fake){ .stream.ops = &fake_ops, .room = 1000, .ended = -1 };
	out = in;
	cancelled = false;
	memset(&flow_counters, 0, sizeof(flow_counters));
	loop_init();
	return relay_init(&limits);
}

static int tear_down(void **state)
{
	(void)state;
	relay_free();
	loop_turn();
	loop_free();
	assert_int_equal(flow_counters.tcp.flows_active, 0);
	return 0;
}

static void client_is_held_until_the_dial_stands(void **state)
{
	(void)state;
	begin();
	assert_false(in.accepted);
	assert_false(in.want_data);
	dialer->opened(dialing, &out.stream);
	assert_true(in.accepted);
	assert_true(in.want_data && out.want_data);
}

static void failed_dial_gives_its_word(void **state)
{
	(void)state;
	begin();
	dialer->failed(dialing, END_REFUSED);
	assert_false(in.accepted);
	assert_int_equal(in.ended, END_REFUSED);
	assert_int_equal(flow_counters.tcp.ended[END_REFUSED], 1);
}

static void client_that_leaves_cancels_the_dial(void **state)
{
	(void)state;
	begin();
	in.stream.events->ended(in.stream.owner, END_REMOTE_RESET);
	assert_true(cancelled);
	assert_int_equal(in.ended, END_CLIENT_RESET);
}

static void back_pressure(void **state)
{
	(void)state;
	joined();
	assert_int_equal(offer(&in, 1500), 1000);
	assert_true(out.want_room);
	assert_true(out.want_data); /* the other direction goes on */
	in.want_data = false;	    /* as a stream does by itself */
	out.room = 5000;
	out.stream.events->room(out.stream.owner);
	assert_true(in.want_data);
	assert_int_equal(offer(&in, 500), 500);
	assert_int_equal(offer(&out, 300), 300);
	assert_int_equal(flow_counters.tcp.bytes_up, 1500);
	assert_int_equal(flow_counters.tcp.bytes_down, 300);
}

static void back_pressure_both_ways_at_once(void **state)
{
	(void)state;
	joined();
	assert_int_equal(offer(&in, 1500), 1000);
	assert_int_equal(offer(&out, 1500), 1000);
	assert_true(in.want_room && out.want_room);
	in.want_data = out.want_data = false;
	out.room = 5000;
	out.want_room = false; /* told once, as a stream does */
	out.stream.events->room(out.stream.owner);
	assert_true(in.want_data);
	assert_true(in.want_room); /* the other direction is still waiting for it */
	in.room = 5000;
	in.want_room = false;
	in.stream.events->room(in.stream.owner);
	assert_true(out.want_data);
	assert_false(out.want_room);
}

/* What the limit does not let pass is not taken; its turn asks for data again. */
static void a_limited_flow_takes_what_it_may(void **state)
{
	struct limits *l = limits_new(&(struct limits_rates){ .client_bytes_per_s = 100000 });
	struct limits_party p = { .client = { .family = AF_INET } };
	uint64_t began = loop_now();
	struct target t;
	size_t taken;

	(void)state;
	in.room = out.room = 100000;
	target_parse("example.org:80", &t);
	relay_start_limited(&in.stream, &p.client, &t, &outbound, l, &p);
	dialer->opened(dialing, &out.stream);
	taken = offer(&in, 40000);
	assert_in_range(taken, 25000, 30000); /* a quarter of a second's worth, and no more */
	assert_int_equal(out.written, taken);
	in.want_data = false; /* as a stream does by itself */
	assert_false(out.want_room);
	assert_in_range(offer(&out, 40000), 0, 2000); /* both directions draw on one rate */
	out.want_data = false;
	while (!in.want_data || !out.want_data)
		loop_turn();
	assert_true(offer(&in, 40000) > 0);
	assert_true(out.written + in.written <= 25000 + (loop_now() - began + 1) * 100); /* what passed was charged */
	assert_int_equal(flow_counters.tcp.bytes_up, out.written);
	in.stream.events->ended(in.stream.owner, END_REMOTE_RESET); /* while it waits */
	for (int i = 0; i < 20; i++)
		loop_turn();
	limits_free(l);
}

static void a_limited_flow_heeds_its_target_too(void **state)
{
	struct limits *l = limits_new(&(struct limits_rates){ .client_bytes_per_s = 100000 });
	struct limits_party p = { .client = { .family = AF_INET } };
	struct target t;

	(void)state;
	target_parse("example.org:80", &t);
	relay_start_limited(&in.stream, &p.client, &t, &outbound, l, &p);
	dialer->opened(dialing, &out.stream);
	assert_int_equal(offer(&in, 5000), 1000);
	assert_true(out.want_room);
	assert_int_equal(offer(&out, 500), 500);
	limits_free(l);
}

static void a_flow_over_the_cap_is_refused(void **state)
{
	struct limits *l = limits_new(&(struct limits_rates){ .client_flows = 1 });
	struct limits_party p = { .client = { .family = AF_INET } };
	struct limits_flow *first;
	struct target t;

	(void)state;
	assert_int_equal(limits_open(l, &p, &first), END_DONE);
	target_parse("example.org:80", &t);
	dialer = NULL;
	relay_start_limited(&in.stream, &p.client, &t, &outbound, l, &p);
	assert_int_equal(in.ended, END_LIMIT);
	assert_null(dialer);
	assert_int_equal(flow_counters.tcp.ended[END_LIMIT], 1);
	assert_int_equal(flow_counters.limits.client_flows, 1);
	limits_close(first);
	limits_free(l);
}

static void half_close_each_way(void **state)
{
	(void)state;
	joined();
	in.stream.events->fin(in.stream.owner);
	assert_true(out.shut);
	assert_false(in.shut);
	assert_int_equal(offer(&out, 700), 700); /* the answer still passes */
	out.stream.events->fin(out.stream.owner);
	assert_true(in.shut);
	assert_int_equal(in.ended, END_DONE);
	assert_int_equal(out.ended, END_DONE);
}

static void reset_goes_to_both(void **state)
{
	(void)state;
	joined();
	out.stream.events->ended(out.stream.owner, END_TRUNCATED);
	assert_int_equal(in.ended, END_TRUNCATED);
	assert_int_equal(out.ended, END_TRUNCATED);
}

static void stop(struct loop_timer *t)
{
	(void)t;
	loop_stop();
}

static void half_closed_silence_is_bounded(void **state)
{
	struct loop_timer t = { 0 };

	(void)state;
	joined();
	out.stream.events->fin(out.stream.owner);
	loop_timer_start(&t, 3000, stop);
	loop_run();
	assert_int_equal(in.ended, END_IDLE);
}

static void cap_on_flows(void **state)
{
	struct fake second = { .stream.ops = &fake_ops, .ended = -1 };
	struct target t;
	struct addr client = { 0 };

	(void)state;
	joined();
	target_parse("example.org:80", &t);
	relay_start(&second.stream, &client, &t, &outbound);
	assert_int_equal(second.ended, END_LIMIT);
	assert_int_equal(in.ended, -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(client_is_held_until_the_dial_stands),
		TEST(failed_dial_gives_its_word),
		TEST(client_that_leaves_cancels_the_dial),
		TEST(back_pressure),
		TEST(back_pressure_both_ways_at_once),
		TEST(a_limited_flow_takes_what_it_may),
		TEST(a_limited_flow_heeds_its_target_too),
		TEST(a_flow_over_the_cap_is_refused),
		TEST(half_close_each_way),
		TEST(reset_goes_to_both),
		TEST(half_closed_silence_is_bounded),
		TEST(cap_on_flows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
