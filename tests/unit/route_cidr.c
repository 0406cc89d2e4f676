/* Prefixes: the trie against a plain list, and the edges. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "route/cidr.h"

static struct addr ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(text, 0, &a), 0);
	return a;
}

static void add(struct cidr_set *s, const char *text, unsigned bits)
{
	struct addr a = ip(text);

	assert_int_equal(cidr_add(s, &a, bits), 0);
}

static bool in(const struct cidr_set *s, const char *text)
{
	struct addr a = ip(text);

	return cidr_contains(s, &a);
}

static void edges(void **state)
{
	struct cidr_set s = { 0 };
	struct addr a = ip("1.2.3.4");

	(void)state;
	assert_true(cidr_is_empty(&s));
	assert_false(in(&s, "1.2.3.4"));
	add(&s, "10.1.2.3", 8); /* host bits are ignored */
	add(&s, "192.168.1.1", 32);
	add(&s, "192.168.4.0", 23);
	add(&s, "2001:db8::", 32);
	add(&s, "::1", 128);
	assert_int_equal(cidr_add(&s, &a, 33), -EINVAL);
	assert_false(in(&s, "10.0.0.1")); /* not sealed yet */
	assert_int_equal(cidr_seal(&s), 0);
	assert_int_equal(cidr_add(&s, &a, 32), -EBUSY);
	assert_false(cidr_is_empty(&s));
	assert_true(in(&s, "10.0.0.0"));
	assert_true(in(&s, "10.255.255.255"));
	assert_false(in(&s, "11.0.0.0"));
	assert_false(in(&s, "9.255.255.255"));
	assert_true(in(&s, "192.168.1.1"));
	assert_false(in(&s, "192.168.1.0"));
	assert_false(in(&s, "192.168.3.255"));
	assert_true(in(&s, "192.168.4.0"));
	assert_true(in(&s, "192.168.5.255"));
	assert_false(in(&s, "192.168.6.0"));
	assert_true(in(&s, "2001:db8:ffff::1"));
	assert_false(in(&s, "2001:db9::"));
	assert_true(in(&s, "::1"));
	assert_false(in(&s, "::"));
	assert_false(in(&s, "::2"));
	assert_true(in(&s, "::ffff:10.0.0.1")); /* v4 in v6's clothes */
	cidr_free(&s);
	assert_true(cidr_is_empty(&s));
}

static void everything_of_one_family(void **state)
{
	struct cidr_set s = { 0 };

	(void)state;
	add(&s, "::", 0);
	add(&s, "2001::", 16);
	assert_int_equal(cidr_seal(&s), 0);
	assert_true(in(&s, "::"));
	assert_true(in(&s, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
	assert_false(in(&s, "1.2.3.4"));
	cidr_free(&s);
}

/* ---- against a list ---- */

#define RULES 400
#define ASKS 20000

struct rule {
	struct addr a;
	unsigned bits;
};

static bool agrees(const struct rule *r, const struct addr *a)
{
	unsigned i = 0;

	if (a->family != r->a.family)
		return false;
	for (; i < r->bits; i++)
		if ((a->ip.bytes[i / 8] ^ r->a.ip.bytes[i / 8]) & (0x80 >> i % 8))
			return false;
	return true;
}

static bool naive(const struct rule *rules, const struct addr *a)
{
	for (int i = 0; i < RULES; i++)
		if (agrees(&rules[i], a))
			return true;
	return false;
}

/* Near one another, so that prefixes nest and answers vary. */
static struct addr draw(unsigned *seed)
{
	uint8_t b[16] = { 0 };
	bool v6 = rand_r(seed) % 2;

	for (int i = 0; i < 16; i++)
		b[i] = (uint8_t)(rand_r(seed) % 4 ? rand_r(seed) % 4 : rand_r(seed));
	b[0] = (uint8_t)(v6 ? 0x20 + rand_r(seed) % 2 : 10 + rand_r(seed) % 3);
	return v6 ? addr_v6(b, 0) : addr_v4(b, 0);
}

static void random_prefixes(void **state)
{
	(void)state;
	for (unsigned round = 1; round <= 20; round++) {
		struct rule rules[RULES];
		struct cidr_set s = { 0 };
		unsigned seed = round, found = 0;

		for (int i = 0; i < RULES; i++) {
			rules[i].a = draw(&seed);
			rules[i].bits = 8 + (unsigned)rand_r(&seed) % (cidr_bits_max(&rules[i].a) - 7);
			assert_int_equal(cidr_add(&s, &rules[i].a, rules[i].bits), 0);
		}
		assert_int_equal(cidr_seal(&s), 0);
		for (int i = 0; i < ASKS; i++) {
			struct addr a = draw(&seed);
			bool want;

			if (i % 4 == 0) { /* the neighbourhood of a rule's end */
				a = rules[i % RULES].a;
				a.ip.bytes[(unsigned)rand_r(&seed) % addr_ip_len(&a)] ^= (uint8_t)(1u << rand_r(&seed) % 8);
			}
			want = naive(rules, &a);
			found += want;
			assert_int_equal(cidr_contains(&s, &a), want);
		}
		assert_in_range(found, ASKS / 100, ASKS - ASKS / 100); /* both answers were asked for */
		cidr_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges),
		cmocka_unit_test(everything_of_one_family),
		cmocka_unit_test(random_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
