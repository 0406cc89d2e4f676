/* Sets of names: what a rule covers, and the whole against a plain list. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "route/domains.h"

static void add(struct domain_set *s, const char *name, enum domain_cover cover)
{
	assert_int_equal(domain_add(s, name, strlen(name), cover), 0);
}

static bool in(const struct domain_set *s, const char *name)
{
	return domain_contains(s, name, strlen(name));
}

static void what_a_rule_covers(void **state)
{
	struct domain_set s = { 0 };
	char longest[255];

	(void)state;
	assert_true(domain_is_empty(&s));
	assert_false(in(&s, "a.org"));
	add(&s, "exact.org", DOMAIN_ITSELF);
	add(&s, "below.org", DOMAIN_BELOW);
	add(&s, "all.org", DOMAIN_ALL);
	add(&s, "twice.org", DOMAIN_ITSELF);
	add(&s, "twice.org", DOMAIN_BELOW);
	add(&s, "lan", DOMAIN_ALL);
	assert_false(domain_is_empty(&s));
	assert_true(in(&s, "exact.org"));
	assert_false(in(&s, "www.exact.org"));
	assert_false(in(&s, "below.org"));
	assert_true(in(&s, "www.below.org"));
	assert_true(in(&s, "a.b.c.below.org"));
	assert_true(in(&s, "all.org"));
	assert_true(in(&s, "www.all.org"));
	assert_true(in(&s, "twice.org") && in(&s, "www.twice.org"));
	assert_true(in(&s, "lan") && in(&s, "printer.lan"));
	assert_false(in(&s, "small.org") || in(&s, "xall.org") || in(&s, "all.org.evil.net"));
	assert_false(in(&s, "org") || in(&s, "") || in(&s, "all.org.") || in(&s, "plan"));
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(domain_add(&s, longest, 254, DOMAIN_ALL), -EINVAL);
	assert_int_equal(domain_add(&s, longest, 0, DOMAIN_ALL), -EINVAL);
	assert_int_equal(domain_add(&s, longest, 253, DOMAIN_ALL), 0);
	assert_true(domain_contains(&s, longest, 253));
	assert_false(domain_contains(&s, longest, 255));
	domain_free(&s);
	assert_true(domain_is_empty(&s));
}

#define RULES 300

struct rule {
	char name[64];
	enum domain_cover cover;
};

static bool covers(const struct rule *r, const char *name)
{
	size_t a = strlen(name), b = strlen(r->name);

	if (strcmp(name, r->name) == 0)
		return r->cover & DOMAIN_ITSELF;
	return a > b && strcmp(name + a - b, r->name) == 0 && name[a - b - 1] == '.' && (r->cover & DOMAIN_BELOW);
}

static void draw(char *out, unsigned *seed)
{
	int labels = 1 + rand_r(seed) % 4;

	*out = 0;
	for (int i = 0; i < labels; i++)
		out += sprintf(out, "%s%c%s", i ? "." : "", 'a' + rand_r(seed) % 6, rand_r(seed) % 3 ? "" : "x");
}

static void against_a_list(void **state)
{
	struct rule rules[RULES];
	struct domain_set s = { 0 };
	unsigned seed = 7, found = 0;

	(void)state;
	for (int i = 0; i < RULES; i++) {
		draw(rules[i].name, &seed);
		rules[i].cover = (enum domain_cover)(1 + rand_r(&seed) % 3);
		add(&s, rules[i].name, rules[i].cover);
	}
	for (int i = 0; i < 20000; i++) {
		char name[64];
		bool want = false;

		draw(name, &seed);
		for (int j = 0; j < RULES && !want; j++)
			want = covers(&rules[j], name);
		found += want;
		assert_int_equal(in(&s, name), want);
	}
	assert_in_range(found, 1000, 19000);
	domain_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_rule_covers),
		cmocka_unit_test(against_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
