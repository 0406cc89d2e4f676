/* A salt is refused for exactly as long as it must be, and the store is bounded. */
#include "vectors.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* ---- one store for several processes ---- */

#define WORKERS 4
#define SALTS 20000

static uint8_t *accepted; /* [WORKERS][SALTS], shared: who was told that it is new */

static unsigned *arrived; /* shared: how many have begun */

/* Every process offers every salt, each in an order of its own, and none runs ahead. */
static void offer_all(struct salt_store *s, uint32_t who)
{
	for (uint32_t i = 0; i < SALTS; i++) {
		if (i == 100)
			__atomic_fetch_add(arrived, 1, __ATOMIC_SEQ_CST);
		while (i == 100 && __atomic_load_n(arrived, __ATOMIC_SEQ_CST) < WORKERS)
			sched_yield();

		uint32_t salt = (i * 7919u + who * 5003u) % SALTS;

		if (put(s, salt, 1000 + i / 100) == 0)
			accepted[who * SALTS + salt] = 1;
	}
}

static unsigned times_accepted(uint32_t salt)
{
	unsigned n = 0;

	for (uint32_t who = 0; who < WORKERS; who++)
		n += accepted[who * SALTS + salt];
	return n;
}

static void a_salt_is_new_to_one_process_of_four(void **state)
{
	struct salt_store *s = salt_store_new_shared(60000, 1000000);
	pid_t pids[WORKERS];
	int status;

	(void)state;
	memset(accepted, 0, (size_t)WORKERS * SALTS);
	*arrived = 0;
	for (uint32_t who = 0; who < WORKERS; who++) {
		pids[who] = fork();
		if (!pids[who]) {
			offer_all(s, who);
			_exit(0);
		}
	}
	for (int who = 0; who < WORKERS; who++) {
		assert_int_equal(waitpid(pids[who], &status, 0), pids[who]);
		assert_int_equal(status, 0);
	}
	for (uint32_t i = 0; i < SALTS; i++)
		assert_int_equal(times_accepted(i), 1);
	for (uint32_t who = 0; who < WORKERS; who++)
		assert_non_null(memchr(accepted + who * SALTS, 1, SALTS)); /* they did meet */
	assert_int_equal(salt_store_count(s), SALTS);
	salt_store_free(s);
}

/* Killed 200 times, often with the lock in hand: what was accepted stays refused. */
static void a_killed_process_takes_nothing_along(void **state)
{
	struct salt_store *s = salt_store_new_shared(300000, SALTS);
	unsigned total = 0;

	(void)state;
	memset(accepted, 0, (size_t)WORKERS * SALTS);
	for (int round = 0; round < 200 || total < 1000; round++) {
		pid_t pid = fork();

		if (!pid) {
			for (uint32_t i = 0;; i++)
				if (put(s, i % SALTS, 1000 + (uint64_t)round) == 0)
					accepted[i % SALTS] = 1;
		}
		usleep(random_below(2000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		/* A salt may have been taken by who died before he could tell. */
		for (uint32_t i = 0; i < SALTS; i++)
			if (accepted[i])
				assert_int_equal(put(s, i, 1000 + (uint64_t)round), -EEXIST);
		total = 0;
		for (uint32_t i = 0; i < SALTS; i++)
			total += accepted[i];
	}
	assert_true(salt_store_count(s) >= total);
	salt_store_expire(s, 1000000);
	assert_int_equal(salt_store_count(s), 0);
	assert_int_equal(put(s, 1, 1000000), 0);
	salt_store_free(s);
}

/* What was written to, counted page by page; statm's number is a rough one. */
static size_t dirty(void)
{
	unsigned long kb = 0;
	char line[256];
	FILE *f = fopen("/proc/self/smaps_rollup", "r");

	assert_non_null(f);
	while (!kb && fgets(line, sizeof(line), f))
		sscanf(line, "Private_Dirty: %lu kB", &kb);
	fclose(f);
	return kb * 1024;
}

/* What is forgotten is given back, in the middle of traffic and at its end. */
static void memory_follows_what_is_remembered(void **state)
{
	(void)state;
	for (int shared = 0; shared < 2; shared++) {
		struct salt_store *s = shared ? salt_store_new_shared(1000, 1u << 20) : salt_store_new(1000, 1u << 20);
		size_t before = dirty();

		for (uint32_t i = 0; i < 500000; i++)
			assert_int_equal(put(s, i, i), 0); /* 1,000 live, 24 MB pass through */
		assert_true(dirty() < before + 2u * 1024 * 1024);
		salt_store_expire(s, 10000000);
		assert_true(dirty() < before + 128u * 1024);
		salt_store_free(s);
	}
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

/* Two workers must never draw the same salt. */
static void children_draw_bytes_of_their_own(void **state)
{
	uint8_t *drawn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(drawn, MAP_FAILED);
	random_bytes(drawn, 32);
	for (int i = 1; i < 4; i++) {
		pid_t pid = fork();

		if (!pid) {
			random_bytes(drawn + i * 32, 32);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	random_bytes(drawn + 4 * 32, 32);
	for (int i = 0; i < 5; i++)
		for (int k = 0; k < i; k++)
			assert_memory_not_equal(drawn + i * 32, drawn + k * 32, 32);
	munmap(drawn, 4096);
}

int main(void)
{
	accepted = mmap(NULL, (size_t)WORKERS * SALTS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	arrived = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (accepted == MAP_FAILED || arrived == MAP_FAILED)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembers_for_its_time_and_not_longer),
		cmocka_unit_test(length_counts),
		cmocka_unit_test(a_full_store_refuses_rather_than_forgets),
		cmocka_unit_test(exact_under_load),
		cmocka_unit_test(a_salt_is_new_to_one_process_of_four),
		cmocka_unit_test(a_killed_process_takes_nothing_along),
		cmocka_unit_test(memory_follows_what_is_remembered),
		cmocka_unit_test(random_bytes_do_not_repeat),
		cmocka_unit_test(children_draw_bytes_of_their_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
