/*
 * The table of decisions, the same for a list written in libev's words and in
 * rust's; and what a decision costs with 100 rules and with 100,000.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "route/decide.h"

static struct acl *acl(const char *text)
{
	struct problems p = { .source = "x.acl" };
	struct acl *a = acl_parse(text, strlen(text), &p);

	assert_non_null(a);
	problems_free(&p);
	return a;
}

static struct target target(const char *host)
{
	struct target t = { .ip = { .port = 80 }, .name_len = (uint8_t)strlen(host) };

	if (addr_parse_ip(host, 80, &t.ip) == 0)
		t.name_len = 0;
	else
		memcpy(t.name, host, t.name_len);
	return t;
}

static enum route_verdict ask(const struct acl *a, const char *host)
{
	struct target t = target(host);

	return route_target(a, &t);
}

/* As a name, whatever it looks like. */
static enum route_verdict ask_name(const struct acl *a, const char *host)
{
	struct target t = { .ip = { .port = 80 }, .name_len = (uint8_t)strlen(host) };

	memcpy(t.name, host, t.name_len);
	return route_target(a, &t);
}

static enum route_verdict resolved(const struct acl *a, const char *one, const char *two)
{
	struct addr ips[2];

	assert_int_equal(addr_parse_ip(one, 0, &ips[0]), 0);
	assert_int_equal(addr_parse_ip(two, 0, &ips[1]), 0);
	return route_resolved(a, ips, 2);
}

#define BODY_LIBEV \
	"10.0.0.0/8\n192.0.2.1\n(^|\\.)bypass\\.org$\n^host\\.net$\n(^|\\.)both\\.org$\n" \
	"[white_list]\n10.1.0.0/16\n172.16.0.0/12\n(^|\\.)proxy\\.org$\n(^|\\.)both\\.org$\n" \
	"[outbound_block_list]\n198.51.100.0/24\n(^|\\.)evil\\.org$\nads[0-9]+\\.\n"
#define BODY_RUST \
	"10.0.0.0/8\n192.0.2.1\n||bypass.org\n|host.net\n||both.org\n" \
	"[proxy_list]\n10.1.0.0/16\n172.16.0.0/12\n||proxy.org\n||both.org\n" \
	"[outbound_block_list]\n198.51.100.0/24\n||evil.org\nads[0-9]+\\.\n"

static const char *const dialects[2][2] = {
	{ "[accept_all]\n[black_list]\n" BODY_LIBEV, "[proxy_all]\n[bypass_list]\n" BODY_RUST },
	{ "[reject_all]\n[black_list]\n" BODY_LIBEV, "[bypass_all]\n[bypass_list]\n" BODY_RUST },
};

static const struct {
	const char *host;
	enum route_verdict in_proxy_all, in_bypass_all;
} table[] = {
	{ "10.2.3.4", ROUTE_DIRECT, ROUTE_DIRECT },
	{ "10.1.3.4", ROUTE_DIRECT, ROUTE_DIRECT }, /* in both: an address goes past */
	{ "172.16.0.1", ROUTE_PROXY, ROUTE_PROXY },
	{ "192.0.2.1", ROUTE_DIRECT, ROUTE_DIRECT },
	{ "192.0.2.2", ROUTE_PROXY, ROUTE_DIRECT },
	{ "2001:db8::1", ROUTE_PROXY, ROUTE_DIRECT },
	{ "::ffff:10.2.3.4", ROUTE_DIRECT, ROUTE_DIRECT },
	{ "198.51.100.9", ROUTE_BLOCK, ROUTE_BLOCK },
	{ "bypass.org", ROUTE_DIRECT, ROUTE_DIRECT },
	{ "www.Bypass.ORG", ROUTE_DIRECT, ROUTE_DIRECT },
	{ "www.bypass.org.", ROUTE_DIRECT, ROUTE_DIRECT },
	{ "host.net", ROUTE_DIRECT, ROUTE_DIRECT },
	{ "www.host.net", ROUTE_RESOLVE, ROUTE_RESOLVE },
	{ "proxy.org", ROUTE_PROXY, ROUTE_PROXY },
	{ "a.both.org", ROUTE_PROXY, ROUTE_PROXY }, /* in both: a name is proxied */
	{ "other.example", ROUTE_RESOLVE, ROUTE_RESOLVE },
	{ "evil.org", ROUTE_BLOCK, ROUTE_BLOCK },
	{ "ads42.bypass.org", ROUTE_BLOCK, ROUTE_BLOCK },
};

static void the_table(void **state)
{
	(void)state;
	for (int mode = 0; mode < 2; mode++) {
		for (int dialect = 0; dialect < 2; dialect++) {
			struct acl *a = acl(dialects[mode][dialect]);

			for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
				enum route_verdict want = mode ? table[i].in_bypass_all : table[i].in_proxy_all;

				if (ask(a, table[i].host) != want)
					fail_msg("%s: %s, not %s", table[i].host, route_verdict_name(ask(a, table[i].host)),
						 route_verdict_name(want));
				assert_int_equal(ask_name(a, table[i].host), want);
			}
			/* One address in the list against the mode turns a name that nothing names. */
			assert_int_equal(resolved(a, "192.0.2.9", "10.2.3.4"), ROUTE_DIRECT);
			assert_int_equal(resolved(a, "192.0.2.9", "172.16.0.1"), ROUTE_PROXY);
			assert_int_equal(resolved(a, "192.0.2.9", "2001:db8::1"), mode ? ROUTE_DIRECT : ROUTE_PROXY);
			assert_int_equal(route_resolved(a, NULL, 0), mode ? ROUTE_DIRECT : ROUTE_PROXY);
			acl_unref(a);
		}
	}
}

static void nothing_is_resolved_without_need(void **state)
{
	struct acl *a = acl("||bypass.org\n[proxy_list]\n10.0.0.0/8\n");

	(void)state;
	assert_int_equal(ask(a, "other.example"), ROUTE_PROXY);
	acl_unref(a);
	a = acl("[bypass_all]\n10.0.0.0/8\n[proxy_list]\n||proxy.org\n");
	assert_int_equal(ask(a, "other.example"), ROUTE_DIRECT);
	acl_unref(a);
}

static bool denied(const struct acl *a, const char *ip, bool named)
{
	struct addr x;

	assert_int_equal(addr_parse_ip(ip, 0, &x), 0);
	return route_address_denied(a, &x, named);
}

static bool name_denied(const struct acl *a, const char *name, bool want_named)
{
	bool named, out = route_name_denied(a, name, strlen(name), &named);

	assert_int_equal(named, want_named);
	return out;
}

static void outbound_lists(void **state)
{
	struct acl *a = acl("[outbound_block_list]\n10.0.0.0/8\n||evil.org\n[outbound_allow_list]\n192.0.2.0/24\n||good.org\n||evil.org\n");

	(void)state;
	assert_true(denied(a, "10.0.0.1", false) && denied(a, "10.0.0.1", true));
	assert_false(denied(a, "192.0.2.1", false) || denied(a, "8.8.8.8", false));
	assert_true(name_denied(a, "www.evil.org", false)); /* in both: blocked */
	assert_false(name_denied(a, "good.org", true));
	assert_false(name_denied(a, "other.org", false));
	assert_true(name_denied(a, "10.1.1.1", false)); /* digits are an address */
	acl_unref(a);
	a = acl("[outbound_block_all]\n[outbound_block_list]\n10.0.0.0/8\n[outbound_allow_list]\n192.0.2.0/24\n||good.org\n");
	assert_false(denied(a, "192.0.2.1", false));
	assert_true(denied(a, "8.8.8.8", false));
	assert_false(denied(a, "8.8.8.8", true)); /* of a name that is allowed */
	assert_true(denied(a, "10.0.0.1", true)); /* but a blocked one stays blocked */
	assert_false(name_denied(a, "good.org", true));
	assert_false(name_denied(a, "other.org", false)); /* its addresses may be allowed */
	assert_true(name_denied(a, "8.8.8.8", false));
	assert_int_equal(ask(a, "good.org"), ROUTE_PROXY);
	assert_int_equal(ask(a, "other.org"), ROUTE_BLOCK);
	acl_unref(a);
	a = acl("[outbound_block_all]\n[outbound_allow_list]\n||good.org\n");
	assert_true(name_denied(a, "other.org", false)); /* without any, it need not be resolved */
	acl_unref(a);
}

static void clients(void **state)
{
	static const char body[] = "[black_list]\n10.0.0.0/8\n2001:db8::/32\n[white_list]\n10.1.0.0/16\n192.0.2.0/24\n";
	static const struct { const char *ip; bool accept_all, reject_all; } rows[] = {
		{ "10.9.9.9", true, true },   { "10.1.0.1", true, true },    { "192.0.2.1", false, false },
		{ "8.8.8.8", false, true },   { "2001:db8::1", true, true }, { "2001:db9::1", false, true },
	};
	char text[256];

	(void)state;
	for (int mode = 0; mode < 2; mode++) {
		struct acl *a;

		snprintf(text, sizeof(text), "%s%s", mode ? "[reject_all]\n" : "", body);
		a = acl(text);
		for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
			struct addr ip;

			assert_int_equal(addr_parse_ip(rows[i].ip, 1234, &ip), 0);
			assert_int_equal(route_client_denied(a, &ip), mode ? rows[i].reject_all : rows[i].accept_all);
		}
		acl_unref(a);
	}
}

/* ---- cost ---- */

static struct acl *many(int n)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct acl *a;

	for (int i = 0; i < n / 2; i++) {
		unsigned x = (unsigned)i * 2654435761u; /* over the whole space */

		fprintf(f, "%u.%u.%u.0/%d\n", x >> 24, x >> 16 & 255, x >> 8 & 255, 20 + i % 5);
		fprintf(f, "||name%d.zone%d.example\n", i, i % 97);
	}
	fclose(f);
	a = acl(text);
	free(text);
	return a;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The least of several rounds: what else runs on the machine only adds. */
static double cost(const struct acl *a)
{
	double least = 1e9;

	for (int round = 0; round < 7; round++) {
		double begin = seconds();

		for (unsigned i = 0; i < 20000; i++) {
			unsigned x = i * 40503u;
			struct target t = { .ip = addr_v4((uint8_t[]){ (uint8_t)(x >> 8), (uint8_t)x, (uint8_t)i, 1 }, 80) };

			route_target(a, &t);
			t.name_len = (uint8_t)snprintf(t.name, sizeof(t.name), "www.name%u.zone%u.example.org", i, i % 97);
			route_target(a, &t);
		}
		if (seconds() - begin < least)
			least = seconds() - begin;
	}
	return least;
}

static void cost_does_not_grow_with_the_rules(void **state)
{
	struct acl *few = many(100), *lots = many(100000);
	double a = cost(few), b = cost(lots);

	(void)state;
	print_message("40,000 decisions: %.1f ms with 100 rules, %.1f ms with 100,000\n", a * 1e3, b * 1e3);
	assert_true(b < a * 10); /* it would be a thousand if it grew with them */
	acl_unref(few);
	acl_unref(lots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table), cmocka_unit_test(nothing_is_resolved_without_need), cmocka_unit_test(outbound_lists),
		cmocka_unit_test(clients),   cmocka_unit_test(cost_does_not_grow_with_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
