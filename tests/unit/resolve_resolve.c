/*
 * resolve/ against a small DNS server in the same loop: what it answers is
 * decided by the first label of the name, and it counts what it was asked.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/loop.h"
#include "proto/dns_message.h"
#include "resolve/resolve.h"

/* ---- the server ---- */

static struct loop_watch server_watch;
static int server_fd, asked_a, asked_aaaa;
static bool hears_later; /* names that begin with "later" */
static char server_text[32];

static size_t answer(const uint8_t *msg, size_t len, uint8_t *out)
{
	static const uint8_t soa[22 + 2] = { 0, 0, [23] = 7 }; /* two root names, and 7 s as the last field */
	struct dns_question q;
	struct dns_reply r;
	uint8_t ip[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	bool a;

	assert_int_equal(dns_message_parse_query(msg, len, &q), 0);
	a = q.type == DNS_TYPE_A;
	a ? asked_a++ : asked_aaaa++;
	if (!strncmp(q.name, "later", 5) && !hears_later)
		return 0;
	if (!strncmp(q.name, "silent", 6) || (!strncmp(q.name, "v4only", 6) && !a))
		return 0;
	dns_reply_begin(&r, out, 512, msg, &q, !strncmp(q.name, "nx", 2) ? DNS_RCODE_NXDOMAIN : DNS_RCODE_OK);
	if (!strncmp(q.name, "nx", 2)) {
		dns_reply_add(&r, DNS_TYPE_SOA, 60, soa, sizeof(soa));
		out[7] = 0;
		out[9] = 1; /* it stands in the authority section */
		return dns_reply_end(&r);
	}
	if (!strncmp(q.name, "empty", 5))
		return dns_reply_end(&r);
	for (int i = 1; i <= (a ? 2 : 3); i++) {
		ip[a ? 3 : 15] = (uint8_t)i;
		dns_reply_add(&r, q.type, 30, ip, a ? 4 : 16);
	}
	return dns_reply_end(&r);
}

static void on_server(struct loop_watch *w, unsigned events)
{
	uint8_t in[1500], out[512];
	struct sockaddr_storage ss;
	socklen_t ss_len = sizeof(ss);
	ssize_t n = recvfrom(server_fd, in, sizeof(in), 0, (struct sockaddr *)&ss, &ss_len);
	size_t len;

	(void)w, (void)events;
	assert_true(n > 0);
	len = answer(in, (size_t)n, out);
	if (len)
		assert_int_equal(sendto(server_fd, out, len, 0, (struct sockaddr *)&ss, ss_len), len);
}

static int setup(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);

	(void)state;
	assert_int_equal(loop_init(), 0);
	server_fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(server_fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(server_fd, (struct sockaddr *)&sin, &len), 0);
	snprintf(server_text, sizeof(server_text), "127.0.0.1:%u", ntohs(sin.sin_port));
	memset(&server_watch, 0, sizeof(server_watch));
	assert_int_equal(loop_watch_start(&server_watch, server_fd, LOOP_READ, on_server), 0);
	asked_a = asked_aaaa = 0;
	hears_later = false;
	struct resolve_options o = { .servers = server_text };
	char err[200];
	assert_int_equal(resolve_init(&o, err, sizeof(err)), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	resolve_free();
	loop_watch_stop(&server_watch);
	close(server_fd);
	loop_free();
	return 0;
}

/* ---- asking ---- */

static struct resolved last;
static int done_count, done_wanted;

static void on_done(void *owner, const struct resolved *r)
{
	(void)owner;
	last = *r;
	if (++done_count == done_wanted)
		loop_stop();
}

static void on_deadline(struct loop_timer *t)
{
	(void)t;
	loop_stop();
}

/* Turns until `wanted` answers came, or two seconds went by. */
static void wait_for(int wanted)
{
	struct loop_timer deadline = { 0 };

	done_wanted = wanted;
	loop_timer_start(&deadline, 2000, on_deadline);
	if (done_count < wanted)
		loop_run();
	loop_timer_stop(&deadline);
	assert_int_equal(done_count, wanted);
}

static struct resolve_query *ask(const char *name)
{
	struct resolve_query *q = resolve_start(name, strlen(name), on_done, NULL);

	assert_non_null(q);
	return q;
}

static void asks_once(const char *name)
{
	int before = done_count = 0;

	ask(name);
	assert_int_equal(done_count, before); /* never synchronously */
	wait_for(1);
}

static void interleaves_families_ipv6_first(void **state)
{
	static const int families[] = { AF_INET6, AF_INET, AF_INET6, AF_INET, AF_INET6 };

	(void)state;
	asks_once("www.example");
	assert_int_equal(last.n, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(last.addrs[i].family, families[i]);
	assert_int_equal(last.addrs[0].ip.bytes[15], 1);
	assert_int_equal(last.addrs[4].ip.bytes[15], 3);
	assert_int_equal(last.addrs[3].ip.bytes[3], 2);
}

static void answers_again_from_the_cache(void **state)
{
	struct resolved r;

	(void)state;
	assert_false(resolve_cached("www.example", 11, &r));
	asks_once("www.example");
	asks_once("WWW.Example.");
	assert_int_equal(asked_a + asked_aaaa, 2);
	assert_true(resolve_cached("www.example", 11, &r));
	assert_int_equal(r.n, 5);
}

static void shares_one_query_between_askers(void **state)
{
	struct resolve_query *cancelled;

	(void)state;
	done_count = 0;
	for (int i = 0; i < 10; i++)
		ask("www.example");
	cancelled = ask("www.example");
	resolve_cancel(cancelled);
	wait_for(10);
	assert_int_equal(asked_a, 1);
	assert_int_equal(asked_aaaa, 1);
}

static void keeps_negative_answers(void **state)
{
	(void)state;
	asks_once("nx.example");
	assert_int_equal(last.n, 0);
	asks_once("nx.example");
	asks_once("empty.example");
	assert_int_equal(last.n, 0);
	asks_once("empty.example");
	assert_int_equal(asked_a, 2);
}

static void does_not_wait_for_a_silent_aaaa(void **state)
{
	(void)state;
	uint64_t before;

	loop_turn(); /* the loop's time is that of its last turn */
	before = loop_now();
	asks_once("v4only.example");
	assert_int_equal(last.n, 2);
	assert_int_equal(last.addrs[0].family, AF_INET);
	assert_true(loop_now() - before < 1400); /* c-ares would repeat itself after 1,500 */
}

static void survives_askers_that_leave(void **state)
{
	(void)state;
	resolve_cancel(ask("silent.example"));
	resolve_cancel(ask("www.example"));
	asks_once("other.example");
	assert_int_equal(last.n, 5);
	ask("silent.example"); /* resolve_free() in teardown forgets it */
}

static void refuses_what_is_no_name(void **state)
{
	static const char *const bad[] = { "", ".", "a b.example", "a\\032b.example", "a\nb.example" };
	char longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		asks_once(bad[i]);
		assert_int_equal(last.n, 0);
	}
	memset(longest, 'a', sizeof(longest));
	done_count = 0;
	assert_non_null(resolve_start(longest, sizeof(longest), on_done, NULL));
	assert_non_null(resolve_start("a\0b.example", 11, on_done, NULL));
	wait_for(2);
	memset(longest, 'a', 200); /* a label over 63 bytes: c-ares says no by itself */
	longest[200] = 0;
	strcat(longest, ".example");
	asks_once(longest);
	assert_int_equal(last.n, 0);
	assert_int_equal(asked_a + asked_aaaa, 0);
}

static void knows_literals_and_localhost(void **state)
{
	struct resolved r;

	(void)state;
	assert_true(resolve_cached("192.0.2.7", 9, &r));
	assert_int_equal(r.n, 1);
	assert_int_equal(r.addrs[0].ip.bytes[3], 7);
	assert_true(resolve_cached("2001:db8::1", 11, &r));
	assert_int_equal(r.addrs[0].family, AF_INET6);
	assert_true(resolve_cached("x.localhost", 11, &r));
	assert_int_equal(r.n, 2);
	asks_once("192.0.2.7");
	assert_int_equal(last.n, 1);
	assert_int_equal(asked_a + asked_aaaa, 0);
}

static void bounds_questions(void **state)
{
	uint64_t refused = resolve_counters()->refused;
	char name[32];

	(void)state;
	done_count = 0;
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "silent%d.example", i);
		ask(name);
	}
	wait_for(3000 - 2048);
	assert_int_equal(resolve_counters()->refused - refused, 3000 - 2048);
}

static void turn_for(uint64_t ms)
{
	struct loop_timer t = { 0 };

	loop_timer_start(&t, ms, on_deadline);
	loop_run();
}

/* Well before c-ares would repeat itself. */
static void asks_again_in_another_network(void **state)
{
	uint64_t before;
	struct resolved r;

	(void)state;
	asks_once("www.example");
	done_count = 0;
	ask("later.example");
	ask("later.example");
	turn_for(50);
	assert_int_equal(asked_a, 2);
	hears_later = true;
	before = loop_now();
	resolve_network_changed();
	assert_false(resolve_cached("www.example", 11, &r));
	wait_for(2);
	assert_int_equal(last.n, 5);
	assert_true(loop_now() - before < 1400); /* c-ares would repeat itself after 1,500 */
	assert_int_equal(asked_a, 3);
}

/* Who names another server does so because the first one does not answer. */
static void asks_other_servers_at_once(void **state)
{
	struct resolve_options o = { 0 };
	uint64_t before;
	char both[64], err[200];
	struct resolved r;

	(void)state;
	asks_once("www.example");
	done_count = 0;
	ask("later.example");
	turn_for(50);
	hears_later = true;
	before = loop_now();
	snprintf(both, sizeof(both), "%s,127.0.0.1:1", server_text);
	o.servers = both;
	assert_int_equal(resolve_prepare(&o, err, sizeof(err)), 0);
	resolve_apply();
	assert_false(resolve_cached("www.example", 11, &r));
	ask("later.example");
	wait_for(2);
	assert_int_equal(last.n, 5);
	assert_true(loop_now() - before < 1400);
}

static void asks_again_what_is_doubted(void **state)
{
	struct resolved r;

	(void)state;
	asks_once("www.example");
	resolve_doubt("WWW.example", 11); /* too young */
	assert_true(resolve_cached("www.example", 11, &r));
	turn_for(1100);
	assert_true(resolve_cached("www.example", 11, &r));
	resolve_doubt("WWW.example", 11);
	assert_false(resolve_cached("www.example", 11, &r));
	resolve_doubt("unknown.example", 15);
	resolve_doubt("", 0);
}

static void rejects_bad_servers(void **state)
{
	static const char *const bad[] = { "", "dns.example", "1.1.1.1,,x", "1.1.1.1:0", "1.1.1.1:70000" };
	char err[200];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct resolve_options o = { .servers = bad[i] };
		assert_true(resolve_init(&o, err, sizeof(err)) < 0);
		assert_non_null(strstr(err, "nameserver"));
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(interleaves_families_ipv6_first),
		TEST(answers_again_from_the_cache),
		TEST(shares_one_query_between_askers),
		TEST(keeps_negative_answers),
		TEST(does_not_wait_for_a_silent_aaaa),
		TEST(survives_askers_that_leave),
		TEST(refuses_what_is_no_name),
		TEST(knows_literals_and_localhost),
		TEST(bounds_questions),
		TEST(asks_again_in_another_network),
		TEST(asks_other_servers_at_once),
		TEST(asks_again_what_is_doubted),
		cmocka_unit_test(rejects_bad_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
