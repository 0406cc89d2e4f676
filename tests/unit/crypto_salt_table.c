/*
 * The table of SIP004's salts: each is new once, in every process and after every
 * restart, killed in whatever moment; a file of whatever content harms nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/random.h"
#include "crypto/salt_table.h"

static char directory[64], path[128];

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/gatun-salts.XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/%s", directory, SALT_TABLE_FILE);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory); /* nothing else was left there */
}

static bool take(struct salt_table *t, uint32_t i)
{
	uint8_t salt[32];

	memset(salt, 0x5a, sizeof(salt));
	memcpy(salt, &i, sizeof(i));
	return salt_table_take(t, salt, sizeof(salt));
}

static struct salt_table *open_table(bool expect_damaged)
{
	bool damaged;
	int err;
	struct salt_table *t = salt_table_open(directory, &damaged, &err);

	assert_non_null(t);
	assert_int_equal(damaged, expect_damaged);
	return t;
}

static void each_salt_is_new_once(void **state)
{
	struct salt_table *t = salt_table_new(false);
	uint8_t salt[32] = { 1 };

	(void)state;
	for (uint32_t i = 0; i < 2000; i++)
		assert_true(take(t, i));
	for (uint32_t i = 0; i < 2000; i++)
		assert_false(take(t, i));
	assert_true(salt_table_take(t, salt, 16)); /* length counts */
	assert_true(salt_table_take(t, salt, 32));
	assert_false(salt_table_take(t, salt, 16));
	salt_table_free(t);
}

static void beyond_its_size_it_forgets_some(void **state)
{
	struct salt_table *t = salt_table_new(false);
	uint32_t n = 1000000, recent = 0;

	(void)state;
	for (uint32_t i = 0; i < n; i++)
		take(t, i);
	for (uint32_t i = n - 10000; i < n; i++)
		recent += !take(t, i);
	assert_true(recent > 9000);
	salt_table_free(t);
}

static void they_outlive_the_process(void **state)
{
	struct salt_table *t = open_table(false);
	struct stat st;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++)
		assert_true(take(t, i));
	salt_table_free(t);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_in_range(st.st_size, 8 << 20, 9 << 20);
	t = open_table(false);
	for (uint32_t i = 0; i < 5000; i++)
		assert_false(take(t, i));
	assert_true(take(t, 5000));
	salt_table_free(t);
}

/* Processes that start at once, take the same salts and are killed: each salt was new in one of them. */
static void among_processes_each_is_new_once(void **state)
{
	enum { PROCESSES = 4, SALTS = 20000 };
	uint32_t *count = mmap(NULL, SALTS * sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int go[2], done[2];
	pid_t children[PROCESSES];
	struct salt_table *t;
	char byte;

	(void)state;
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(done), 0);
	for (int p = 0; p < PROCESSES; p++) {
		children[p] = fork();
		if (children[p])
			continue;
		close(go[1]);
		if (read(go[0], &byte, 1) < 0)
			_exit(1);
		t = open_table(false);
		for (uint32_t i = 0; i < SALTS; i++)
			if (take(t, i))
				__atomic_fetch_add(&count[i], 1, __ATOMIC_RELAXED);
		if (write(done[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	close(go[0]);
	close(go[1]);
	for (int p = 0; p < PROCESSES; p++)
		assert_int_equal(read(done[0], &byte, 1), 1);
	for (int p = 0; p < PROCESSES; p++) {
		kill(children[p], SIGKILL);
		waitpid(children[p], NULL, 0);
	}
	for (uint32_t i = 0; i < SALTS; i++)
		assert_int_equal(count[i], 1);
	t = open_table(false);
	for (uint32_t i = 0; i < SALTS; i++)
		assert_false(take(t, i));
	salt_table_free(t);
	close(done[0]);
	close(done[1]);
	munmap(count, SALTS * sizeof(*count));
}

static void poke(off_t at, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, at), (ssize_t)n);
	close(fd);
}

static void a_damaged_head_is_replaced_and_said(void **state)
{
	(void)state;
	for (off_t at = 0; at < 48; at++) { /* every byte of magic, size, key and sum */
		struct salt_table *t = open_table(at > 0);
		uint8_t byte;
		int fd;

		assert_true(take(t, 1));
		salt_table_free(t);
		fd = open(path, O_RDONLY);
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		close(fd);
		byte ^= 0x40;
		poke(at, &byte, 1);
	}
	salt_table_free(open_table(true));
}

static void a_file_of_another_size_is_replaced(void **state)
{
	static const off_t sizes[] = { 0, 1, 47, 4096, 8 << 20, 100 << 20 };

	(void)state;
	salt_table_free(open_table(false));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct salt_table *t;

		assert_int_equal(truncate(path, sizes[i]), 0);
		t = open_table(true);
		assert_true(take(t, 7));
		assert_false(take(t, 7));
		salt_table_free(t);
	}
}

/* Noise in the places, as after a crash of the machine, refuses nobody. */
static void noise_refuses_nobody(void **state)
{
	struct salt_table *t = open_table(false);
	uint8_t noise[4096];

	(void)state;
	salt_table_free(t);
	for (off_t at = 4096; at < (8 << 20); at += (off_t)sizeof(noise)) {
		random_bytes(noise, sizeof(noise));
		poke(at, noise, sizeof(noise));
	}
	t = open_table(false);
	for (uint32_t i = 0; i < 100000; i++)
		assert_true(take(t, i));
	salt_table_free(t);
}

static void what_is_no_file_is_an_error(void **state)
{
	bool damaged;
	int err = 0;

	(void)state;
	assert_null(salt_table_open("/proc/no/such/place", &damaged, &err));
	assert_int_equal(err, ENOENT);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_null(salt_table_open(directory, &damaged, &err));
	assert_int_equal(err, ELOOP);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_null(salt_table_open(directory, &damaged, &err));
	assert_int_equal(err, EISDIR);
	rmdir(path);
}

static void one_that_was_killed_while_it_began_leaves_no_trace(void **state)
{
	char aside[160];
	int fd;

	(void)state;
	snprintf(aside, sizeof(aside), "%s.new", path);
	fd = open(aside, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "half", 4), 4);
	close(fd);
	salt_table_free(open_table(false));
	assert_int_equal(access(aside, F_OK), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_salt_is_new_once),
		TEST(beyond_its_size_it_forgets_some),
		TEST(they_outlive_the_process),
		TEST(among_processes_each_is_new_once),
		TEST(a_damaged_head_is_replaced_and_said),
		TEST(a_file_of_another_size_is_replaced),
		TEST(noise_refuses_nobody),
		TEST(what_is_no_file_is_an_error),
		TEST(one_that_was_killed_while_it_began_leaves_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
