/* dns/alias: the five rules of alias.h, and its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/alias.h"

static struct assoc_key app = { .addr = { .family = AF_INET, .port = 5000, .ip.bytes = { 10, 0, 0, 2 } } };
static struct assoc_key other = { .addr = { .family = AF_INET, .port = 5001, .ip.bytes = { 10, 0, 0, 2 } } };

static struct addr at(uint8_t a, uint8_t d, uint16_t port)
{
	return (struct addr){ .family = AF_INET, .port = port, .ip.bytes = { a, 18, 0, d } };
}

static struct addr fake(uint8_t d, uint16_t port)
{
	return at(198, d, port);
}

static struct addr real(uint8_t d, uint16_t port)
{
	return at(192, d, port);
}

static void sent_fake(struct addr f, uint64_t now)
{
	assert_true(alias_sent_fake(&app, &f, now));
}

static void sent_real(struct addr r)
{
	alias_sent_real(&app, &r);
}

/* The last byte of the fake that a reply from r goes by; -1: its true source. */
static int reply(struct addr r, uint64_t now)
{
	struct addr f;

	return alias_reply(&app, &r, now, &f) ? f.ip.bytes[3] : -1;
}

static int setup(void **state)
{
	(void)state;
	return alias_init();
}

static int teardown(void **state)
{
	(void)state;
	alias_free();
	return 0;
}

static void a_name_gets_its_reply_from_the_fake(void **state)
{
	struct addr f, r = real(1, 3478);

	(void)state;
	assert_false(alias_any());
	sent_fake(fake(1, 3478), 0);
	assert_true(alias_any());
	assert_int_equal(reply(real(1, 3478), 1), 1);
	assert_int_equal(reply(real(1, 3478), 2), 1);
	/* Full cone: another port, another host, known by none. */
	assert_int_equal(reply(real(1, 3479), 3), -1);
	assert_int_equal(reply(real(9, 3478), 3), -1);
	assert_false(alias_reply(&other, &r, 1, &f));
}

static void two_names_are_told_apart(void **state)
{
	(void)state;
	sent_fake(fake(1, 123), 0);
	sent_fake(fake(2, 123), 1);
	sent_fake(fake(3, 443), 2);
	assert_int_equal(reply(real(7, 443), 3), 3);
	assert_int_equal(reply(real(8, 123), 3), 2); /* the latest */
	assert_int_equal(reply(real(9, 123), 3), 1);
	assert_int_equal(reply(real(8, 123), 4), 2);
}

static void what_the_app_sent_by_address_stays(void **state)
{
	(void)state;
	sent_fake(fake(1, 3478), 0);
	sent_real(real(5, 3478)); /* a peer on the same port */
	assert_int_equal(reply(real(5, 3478), 1), -1);
	assert_int_equal(reply(real(6, 3478), 1), 1); /* the STUN server */
	/* It turns out that the app knows the address as well. */
	sent_real(real(6, 3478));
	assert_int_equal(reply(real(6, 3478), 2), -1);
	/* The name's own reply is then learned anew. */
	assert_int_equal(reply(real(7, 3478), 3), 1);
}

static void a_name_that_moved_is_learned_anew(void **state)
{
	(void)state;
	sent_fake(fake(1, 123), 0);
	assert_int_equal(reply(real(1, 123), 10), 1);
	assert_int_equal(reply(real(2, 123), 5000), -1); /* nothing was asked */
	sent_fake(fake(1, 123), 6000);
	assert_int_equal(reply(real(2, 123), 6001), 1);
	assert_int_equal(reply(real(1, 123), 6002), -1); /* the old one is no more */
	/* While it answers, another host is another host. */
	sent_fake(fake(1, 123), 6500);
	assert_int_equal(reply(real(3, 123), 6501), -1);
}

static void forgets(void **state)
{
	(void)state;
	sent_fake(fake(1, 123), 0);
	sent_real(real(5, 123));
	alias_forget(&other);
	assert_int_equal(reply(real(1, 123), 1), 1);
	alias_forget(&app);
	assert_false(alias_any());
	assert_int_equal(reply(real(1, 123), 2), -1);
	sent_real(real(5, 123)); /* a source without fakes is not remembered */
	assert_false(alias_any());
}

static bool is_port_7(const struct addr *f, const void *arg)
{
	(void)arg;
	return f->port == 7;
}

static void finds_the_latest(void **state)
{
	struct addr f;

	(void)state;
	assert_false(alias_find(&app, is_port_7, NULL, &f));
	sent_fake(fake(1, 7), 0);
	sent_fake(fake(2, 7), 0);
	sent_fake(fake(3, 8), 0);
	assert_true(alias_find(&app, is_port_7, NULL, &f));
	assert_int_equal(f.ip.bytes[3], 2);
	sent_fake(fake(1, 7), 1);
	assert_true(alias_find(&app, is_port_7, NULL, &f));
	assert_int_equal(f.ip.bytes[3], 1);
}

static void a_source_with_many_peers_keeps_the_latest(void **state)
{
	struct addr r = { .family = AF_INET, .port = 6881 };

	(void)state;
	sent_fake(fake(1, 6881), 0);
	for (unsigned i = 0; i < 5000; i++) {
		r.ip.bytes[0] = 100;
		r.ip.bytes[2] = (uint8_t)(i >> 8);
		r.ip.bytes[3] = (uint8_t)i;
		sent_real(r);
	}
	assert_int_equal(reply(r, 1), -1);
	assert_int_equal(reply(real(1, 6881), 1), 1); /* peers do not push the name out */
	for (unsigned i = 2; i < 300; i++)
		sent_fake(fake((uint8_t)i, (uint16_t)(1000 + i)), 2);
	assert_int_equal(reply(real(1, 6881), 3), -1); /* 256 other names do */
}

static void many_sources_are_bounded(void **state)
{
	struct assoc_key key = app;
	struct addr f = fake(1, 53), r = real(1, 53), got;

	(void)state;
	for (unsigned i = 0; i < 60000; i++) {
		key.addr.ip.bytes[2] = (uint8_t)(i >> 12);
		key.addr.port = (uint16_t)(1 + (i & 4095));
		assert_true(alias_sent_fake(&key, &f, i));
	}
	assert_true(alias_reply(&key, &r, 60000, &got));
	key.addr.ip.bytes[2] = 0;
	key.addr.port = 1;
	assert_false(alias_reply(&key, &r, 60000, &got));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_name_gets_its_reply_from_the_fake),
		TEST(two_names_are_told_apart),
		TEST(what_the_app_sent_by_address_stays),
		TEST(a_name_that_moved_is_learned_anew),
		TEST(forgets),
		TEST(finds_the_latest),
		TEST(a_source_with_many_peers_keeps_the_latest),
		TEST(many_sources_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
