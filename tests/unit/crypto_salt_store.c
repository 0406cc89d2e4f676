/* A salt is refused for exactly as long as it must be, and the store is bounded. */
#include "vectors.h"

#include <errno.h>

#include "crypto/random.h"
#include "crypto/salt_store.h"

static void salt_of(uint32_t i, uint8_t out[32])
{
	memset(out, 0x5a, 32);
	memcpy(out, &i, sizeof(i));
}

static int put(struct salt_store *s, uint32_t i, uint64_t now)
{
	uint8_t salt[32];

	salt_of(i, salt);
	return salt_store_insert(s, salt, 32, now);
}

static void remembers_for_its_time_and_not_longer(void **state)
{
	struct salt_store *s = salt_store_new(60000, 1000);

	(void)state;
	assert_int_equal(put(s, 1, 1000), 0);
	assert_int_equal(put(s, 1, 1000), -EEXIST);
	assert_int_equal(put(s, 1, 61000), -EEXIST);
	assert_int_equal(put(s, 1, 61001), 0);
	assert_int_equal(salt_store_count(s), 1);
	salt_store_expire(s, 121002);
	assert_int_equal(salt_store_count(s), 0);
	salt_store_free(s);
}

/* Salts of different length are different salts, even with the same bytes in front. */
static void length_counts(void **state)
{
	struct salt_store *s = salt_store_new(60000, 1000);
	uint8_t salt[32] = { 1 };

	(void)state;
	assert_int_equal(salt_store_insert(s, salt, 16, 0), 0);
	assert_int_equal(salt_store_insert(s, salt, 32, 0), 0);
	assert_int_equal(salt_store_insert(s, salt, 16, 0), -EEXIST);
	salt_store_free(s);
}

static void a_full_store_refuses_rather_than_forgets(void **state)
{
	struct salt_store *s = salt_store_new(60000, 300);

	(void)state;
	for (uint32_t i = 0; i < 300; i++)
		assert_int_equal(put(s, i, i), 0);
	assert_int_equal(put(s, 300, 300), -ENOSPC);
	assert_int_equal(put(s, 0, 300), -EEXIST);
	assert_int_equal(put(s, 300, 60001), 0); /* the oldest is of age */
	assert_int_equal(salt_store_count(s), 300);
	salt_store_free(s);
}

static void sip004_forgets_the_oldest(void **state)
{
	struct salt_store *s = salt_store_new(60000, 300);
	uint8_t salt[32];

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		salt_of(i, salt);
		assert_int_equal(salt_store_insert_evict(s, salt, 32, i), 0);
	}
	assert_int_equal(salt_store_count(s), 300);
	salt_of(700, salt);
	assert_int_equal(salt_store_insert_evict(s, salt, 32, 1000), -EEXIST);
	salt_of(699, salt);
	assert_int_equal(salt_store_insert_evict(s, salt, 32, 1000), 0);
	salt_store_free(s);
}

/* A busy server: 50,000 salts pass through, each seen twice, none confused. */
static void exact_under_load(void **state)
{
	struct salt_store *s = salt_store_new(1000, 1000000);

	(void)state;
	for (uint32_t i = 0; i < 50000; i++) {
		assert_int_equal(put(s, i, i / 10), 0);
		if (i >= 100)
			assert_int_equal(put(s, i - 100, i / 10), -EEXIST);
	}
	assert_true(salt_store_count(s) <= 10010);
	salt_store_expire(s, 100000);
	assert_int_equal(salt_store_count(s), 0);
	salt_store_free(s);
	salt_store_free(NULL);
}

static void random_bytes_do_not_repeat(void **state)
{
	uint8_t a[4096], b[4096];
	unsigned ones = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		random_bytes(a, 32);
		random_bytes(b, 32);
		assert_memory_not_equal(a, b, 32);
		for (int k = 0; k < 32; k++)
			ones += (unsigned)__builtin_popcount(a[k]);
	}
	assert_in_range(ones, 200 * 128 - 2000, 200 * 128 + 2000);
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	for (int i = 0; i < 1000; i++)
		assert_in_range(1 + random_below(900), 1, 900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembers_for_its_time_and_not_longer),
		cmocka_unit_test(length_counts),
		cmocka_unit_test(a_full_store_refuses_rather_than_forgets),
		cmocka_unit_test(sip004_forgets_the_oldest),
		cmocka_unit_test(exact_under_load),
		cmocka_unit_test(random_bytes_do_not_repeat),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
