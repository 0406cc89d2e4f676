/* resolve/cache: ages, negative answers, and which one goes when it is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "resolve/cache.h"

static const struct resolved none = { .n = 0 };
static const struct resolved two = { .n = 2, .addrs = { { .family = AF_INET, .ip.bytes = { 192, 0, 2, 1 } },
							 { .family = AF_INET, .ip.bytes = { 192, 0, 2, 2 } } } };

static int get(struct resolve_cache *c, const char *name, uint64_t now)
{
	struct resolved r;

	if (!resolve_cache_get(c, name, strlen(name), now, &r))
		return -1;
	for (int i = 0; i < r.n; i++)
		assert_true(addr_equal(&r.addrs[i], &two.addrs[i]));
	return r.n;
}

static void put(struct resolve_cache *c, const char *name, uint64_t now, uint64_t ttl, const struct resolved *r)
{
	resolve_cache_put(c, name, strlen(name), now, ttl, r);
}

static void keeps_answers_for_their_time(void **state)
{
	struct resolve_cache c;

	(void)state;
	assert_int_equal(resolve_cache_init(&c, 10), 0);
	put(&c, "a", 100, 50, &two);
	put(&c, "b", 100, 100, &none);
	put(&c, "c", 100, 0, &two);
	assert_int_equal(get(&c, "a", 149), 2);
	assert_int_equal(get(&c, "a", 150), -1);
	assert_int_equal(get(&c, "b", 150), 0);
	assert_int_equal(get(&c, "c", 100), -1);
	put(&c, "b", 160, 50, &two);
	assert_int_equal(get(&c, "b", 209), 2);
	assert_int_equal(c.count, 1);
	put(&c, "b", 209, 0, &two); /* worth no time: the old goes too */
	assert_int_equal(get(&c, "b", 209), -1);
	assert_int_equal(c.count, 0);
	resolve_cache_free(&c);
}

static void the_least_recently_used_goes_first(void **state)
{
	struct resolve_cache c;

	(void)state;
	assert_int_equal(resolve_cache_init(&c, 2), 0);
	put(&c, "a", 0, 100, &two);
	put(&c, "b", 0, 100, &two);
	assert_int_equal(get(&c, "a", 1), 2);
	put(&c, "c", 1, 100, &two);
	assert_int_equal(get(&c, "b", 1), -1);
	assert_int_equal(get(&c, "a", 1), 2);
	assert_int_equal(get(&c, "c", 1), 2);
	assert_int_equal(c.count, 2);
	resolve_cache_free(&c);
}

static void what_expired_goes_though_nobody_asks(void **state)
{
	struct resolve_cache c;

	(void)state;
	assert_int_equal(resolve_cache_init(&c, 10), 0);
	put(&c, "a", 0, 100, &two);
	put(&c, "b", 0, 50, &two);
	put(&c, "c", 0, 50, &none);
	resolve_cache_expire(&c, 49);
	assert_int_equal(c.count, 3);
	resolve_cache_expire(&c, 50);
	assert_int_equal(c.count, 1);
	assert_int_equal(get(&c, "a", 99), 2);
	resolve_cache_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_answers_for_their_time),
		cmocka_unit_test(the_least_recently_used_goes_first),
		cmocka_unit_test(what_expired_goes_though_nobody_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
