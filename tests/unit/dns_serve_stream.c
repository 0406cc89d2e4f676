/* dns/serve_stream: DNS over TCP for the apps, with the upstream of the test's own. */
#include "dns_fakes.h"

static struct fake app;

static int setup_fake(void **state)
{
	(void)state;
	dns_start(DNS_FAKE);
	fake_init(&app, sizeof(app.written));
	dns_serve_stream(&app.stream);
	assert_true(app.accepted && app.want_data);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dns_stop();
	assert_true(app.ended >= 0);
	return 0;
}

static const uint8_t *answer_of(int n, uint16_t id)
{
	size_t len;
	const uint8_t *m = fake_message(&app, n, &len);

	assert_non_null(m);
	assert_int_equal(dns_message_id(m), id);
	return m;
}

static void answers_queries_in_any_pieces(void **state)
{
	uint8_t in[512];
	size_t len = framed_query(in, 7, "a.example", DNS_TYPE_A), n;

	(void)state;
	len += framed_query(in + len, 8, "b.example", DNS_TYPE_AAAA);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(fake_feed(&app, in + i, 1), 1);
	assert_int_equal(fake_feed(&app, in, len), len);
	answer_of(0, 7);
	answer_of(1, 8);
	answer_of(2, 7);
	answer_of(3, 8);
	assert_null(fake_message(&app, 4, &n));
	assert_int_equal(app.ended, -1);
}

static void answers_after_the_apps_fin(void **state)
{
	uint8_t in[512], out[4096];
	size_t len = framed_query(in, 9, "example.org", 15);
	const uint8_t *q;

	(void)state;
	fake_feed(&app, in, len);
	app.stream.events->fin(app.stream.owner);
	assert_int_equal(app.ended, -1);
	dial_opens();
	q = fake_message(&up, 0, &len);
	len = framed_reply(out, q, len, 2000);
	fake_feed(&up, out, len);
	assert_true(fake_message(&app, 0, &len) && len > 2000); /* whole: this is TCP */
	answer_of(0, 9);
	assert_int_equal(app.ended, END_DONE);
}

static void says_servfail_when_upstream_fails(void **state)
{
	uint8_t in[512];
	size_t len = framed_query(in, 9, "example.org", 15);

	(void)state;
	fake_feed(&app, in, len);
	dialer->failed(dialing, END_REFUSED);
	assert_int_equal(dns_message_rcode(answer_of(0, 9)), DNS_RCODE_SERVFAIL);
}

static void reads_no_more_than_it_can_answer(void **state)
{
	uint8_t in[8192], out[512];
	size_t one = framed_query(in, 0, "example.org", 15), len = 0, taken;

	(void)state;
	for (uint16_t i = 0; i < 100; i++)
		len += framed_query(in + len, i, "example.org", 15);
	taken = fake_feed(&app, in, len);
	assert_int_equal(taken, 64 * one);
	assert_false(app.want_data);
	dial_opens();
	for (int i = 0; i < 64; i++) {
		size_t n;
		const uint8_t *q = fake_message(&up, i, &n);
		n = framed_reply(out, q, n, 4);
		fake_feed(&up, out, n);
		assert_true(app.want_data);
	}
	assert_int_equal(fake_feed(&app, in + taken, len - taken), len - taken);
	for (uint16_t i = 0; i < 64; i++)
		answer_of(i, i);
}

static void waits_for_an_app_that_does_not_read(void **state)
{
	uint8_t in[512];
	size_t one = framed_query(in, 1, "a.example", DNS_TYPE_A);
	int n = 0;

	(void)state;
	app.room = 10;
	while (app.want_data && n < 100000) {
		assert_int_equal(fake_feed(&app, in, one), one);
		n++;
	}
	assert_true(n > 1000 && n < 100000);
	assert_true(app.want_room);
	app.room = 4096;
	app.stream.events->room(app.stream.owner);
	assert_true(app.want_data);
	assert_true(app.want_room);
}

static void ends_what_is_not_dns(void **state)
{
	static const char http[] = "GET / HTTP/1.0\r\n\r\n";
	static const uint8_t runt[] = { 0, 3, 1, 2, 3 };

	(void)state;
	/* 0x4745 bytes are announced: nothing is answered, and FIN ends it. */
	assert_int_equal(fake_feed(&app, http, sizeof(http) - 1), sizeof(http) - 1);
	app.stream.events->fin(app.stream.owner);
	assert_int_equal(app.ended, END_DONE);
	loop_turn();
	fake_init(&app, sizeof(app.written));
	dns_serve_stream(&app.stream);
	fake_feed(&app, runt, sizeof(runt));
	assert_int_equal(app.ended, END_PROTOCOL);
}

static void forgets_questions_of_a_reset_app(void **state)
{
	uint8_t in[512], out[512];
	size_t len = framed_query(in, 9, "example.org", 15);

	(void)state;
	fake_feed(&app, in, len);
	dial_opens();
	app.stream.events->ended(app.stream.owner, END_CLIENT_RESET);
	assert_int_equal(app.ended, END_CLIENT_RESET);
	loop_turn();
	const uint8_t *q = fake_message(&up, 0, &len);
	len = framed_reply(out, q, len, 4);
	fake_feed(&up, out, len);
	assert_int_equal(app.len, 0);
}

static void one_too_many_is_refused(void **state)
{
	static struct fake apps[1024];

	(void)state;
	for (int i = 0; i < 1023; i++) {
		fake_init(&apps[i], 100);
		dns_serve_stream(&apps[i].stream);
		assert_int_equal(apps[i].ended, -1);
	}
	fake_init(&apps[1023], 100);
	dns_serve_stream(&apps[1023].stream);
	assert_int_equal(apps[1023].ended, END_LIMIT);
	assert_false(apps[1023].accepted);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup_fake, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_queries_in_any_pieces),
		TEST(answers_after_the_apps_fin),
		TEST(says_servfail_when_upstream_fails),
		TEST(reads_no_more_than_it_can_answer),
		TEST(waits_for_an_app_that_does_not_read),
		TEST(ends_what_is_not_dns),
		TEST(forgets_questions_of_a_reset_app),
		TEST(one_too_many_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
