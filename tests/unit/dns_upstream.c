/* dns/upstream: one pipelined connection, its end, and the time a question may take. */
#include "dns_fakes.h"

#include "dns/state.h"
#include "dns/upstream.h"

struct asker {
	int done;
	size_t len;
	uint8_t reply[4096], query[512];
};

static struct asker askers[4];

static void on_done(void *owner, const uint8_t *query, const uint8_t *reply, size_t len)
{
	struct asker *a = owner;

	a->done++;
	a->len = len;
	memcpy(a->query, query, 12);
	if (len)
		memcpy(a->reply, reply, len);
}

static struct dns_ask *ask(int i, const char *name)
{
	uint8_t query[512];
	size_t len = make_query(query, (uint16_t)(100 + i), name, 16);
	struct dns_ask *a = dns_upstream_ask(dns_state.up, query, len, on_done, &askers[i]);

	assert_non_null(a);
	assert_int_equal(askers[i].done, 0);
	return a;
}

static void reply_to(int message, uint16_t size)
{
	uint8_t out[4096];
	size_t len;
	const uint8_t *q = fake_message(&up, message, &len);

	assert_non_null(q);
	len = framed_reply(out, q, len, size);
	assert_int_equal(fake_feed(&up, out, len), len);
}

static int setup(void **state)
{
	memset(askers, 0, sizeof(askers));
	return dns_setup_upstream(state);
}

static void pipelines_on_one_connection(void **state)
{
	size_t len;

	(void)state;
	ask(0, "a.example");
	ask(1, "b.example");
	assert_int_equal(dials, 1);
	assert_int_equal(target_port(&dialed), 53);
	dial_opens();
	ask(2, "c.example");
	assert_int_equal(dials, 1);
	assert_non_null(fake_message(&up, 2, &len));
	reply_to(2, 10);
	reply_to(0, 3000);
	reply_to(1, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(askers[i].done, 1);
	assert_true(askers[0].len > 3000 && askers[1].len < 100);
	ask(3, "d.example");
	reply_to(3, 5);
	assert_int_equal(askers[3].done, 1);
	assert_int_equal(dials, 1);
}

static void sends_what_the_stream_takes(void **state)
{
	size_t len;

	(void)state;
	ask(0, "a.example");
	fake_init(&up, 5);
	dialer->opened(dialing, &up.stream);
	assert_true(up.want_room);
	assert_null(fake_message(&up, 0, &len));
	up.room = sizeof(up.written);
	up.stream.events->room(up.stream.owner);
	reply_to(0, 1);
	assert_int_equal(askers[0].done, 1);
}

static void takes_no_answer_to_another_question(void **state)
{
	uint8_t out[512], other[512];
	const uint8_t *q;
	size_t len, other_len;

	(void)state;
	ask(0, "a.example");
	dial_opens();
	q = fake_message(&up, 0, &len);
	other_len = make_query(other, dns_message_id(q), "b.example", 16);
	other_len = framed_reply(out, other, other_len, 4);
	fake_feed(&up, out, other_len);
	assert_int_equal(askers[0].done, 0);
	/* A late answer to an earlier owner of the slot. */
	len = framed_reply(out, q, len, 4);
	dns_message_set_id(out + 2, (uint16_t)(dns_message_id(q) + 512));
	fake_feed(&up, out, len);
	assert_int_equal(askers[0].done, 0);
	reply_to(0, 4);
	assert_int_equal(askers[0].done, 1);
}

static void asks_once_more_on_a_new_connection(void **state)
{
	(void)state;
	ask(0, "a.example");
	dial_opens();
	up.stream.events->fin(up.stream.owner); /* the server closed what was idle */
	assert_int_equal(up.ended, END_DONE);
	assert_int_equal(dials, 2);
	dial_opens();
	reply_to(0, 1);
	assert_int_equal(askers[0].done, 1);
	assert_true(askers[0].len > 0);
}

static void gives_up_after_the_second(void **state)
{
	(void)state;
	ask(0, "a.example");
	dial_opens();
	up.stream.events->ended(up.stream.owner, END_REMOTE_RESET);
	assert_int_equal(up.ended, END_REMOTE_RESET);
	dial_opens();
	ask(1, "b.example");
	up.stream.events->ended(up.stream.owner, END_REMOTE_RESET);
	assert_int_equal(askers[0].done, 1);
	assert_int_equal(askers[0].len, 0);
	assert_int_equal(askers[1].done, 0);
	assert_int_equal(dials, 3);
	dialer->failed(dialing, END_REFUSED);
	assert_int_equal(askers[1].done, 1);
	assert_int_equal(askers[1].len, 0);
	assert_int_equal(dns_counters()->upstream_failures, 2);
	assert_int_equal(dials, 3); /* nobody asks: nobody dials */
}

static void a_cancelled_question_says_nothing(void **state)
{
	struct dns_ask *a;

	(void)state;
	a = ask(0, "a.example");
	ask(1, "b.example");
	dial_opens();
	dns_upstream_cancel(a);
	reply_to(0, 1);
	reply_to(1, 1);
	assert_int_equal(askers[0].done, 0);
	assert_int_equal(askers[1].done, 1);
}

static void bounds_questions(void **state)
{
	uint8_t query[64];
	size_t len = make_query(query, 1, "a.example", 16);

	(void)state;
	for (int i = 0; i < 512; i++)
		assert_non_null(dns_upstream_ask(dns_state.up, query, len, on_done, &askers[0]));
	assert_null(dns_upstream_ask(dns_state.up, query, len, on_done, &askers[0]));
	dialer->failed(dialing, END_REFUSED);
	assert_int_equal(askers[0].done, 512);
	assert_non_null(dns_upstream_ask(dns_state.up, query, len, on_done, &askers[0]));
}

static void a_silent_server_costs_its_time_and_no_more(void **state)
{
	uint64_t took;

	(void)state;
	ask(0, "a.example");
	dial_opens();
	took = wait_until(&askers[0].done, 1, 8000);
	assert_int_equal(askers[0].done, 1);
	assert_int_equal(askers[0].len, 0);
	assert_in_range(took, DNS_UPSTREAM_MS - 50, 7000);
	assert_int_equal(dials, 1); /* fresh: slow is not dead */
}

static void a_connection_that_died_idle_is_replaced(void **state)
{
	(void)state;
	ask(0, "a.example");
	dial_opens();
	reply_to(0, 1);
	wait_until(&dials, -1, 1100);
	ask(1, "b.example");
	assert_in_range(wait_until(&dials, 2, 6000), 1900, 4400);
	assert_int_equal(up.ended, END_IDLE);
	dial_opens();
	reply_to(0, 1);
	assert_int_equal(askers[1].done, 1);
	assert_true(askers[1].len > 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, dns_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pipelines_on_one_connection),
		TEST(sends_what_the_stream_takes),
		TEST(takes_no_answer_to_another_question),
		TEST(asks_once_more_on_a_new_connection),
		TEST(gives_up_after_the_second),
		TEST(a_cancelled_question_says_nothing),
		TEST(bounds_questions),
		TEST(a_silent_server_costs_its_time_and_no_more),
		TEST(a_connection_that_died_idle_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
