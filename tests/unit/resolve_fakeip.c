/*
 * resolve/fakeip: both ways, both families, and never somebody else's address;
 * shared by processes that are killed at any moment, and in a file that is not
 * to be trusted.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/shared.h"
#include "resolve/fakeip_impl.h"

static const struct fakeip_options plain;
static char directory[] = "/tmp/fakeip.XXXXXX", path[64], old_path[80];

static uint32_t assign(struct fakeip *f, const char *name, uint64_t now)
{
	uint32_t index = UINT32_MAX;

	assert_int_equal(fakeip_assign(f, name, strlen(name), now, &index), 0);
	return index;
}

/* What an address leads to; "": nothing. */
static const char *name_of(const struct fakeip *f, struct addr a)
{
	static char name[256];
	uint32_t index;
	uint8_t len = fakeip_find(f, &a, name, &index);

	assert_int_equal(len ? strlen(name) : 0, len);
	return len ? name : "";
}

static struct addr v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	uint8_t ip[4] = { a, b, c, d };

	return addr_v4(ip, 80);
}

static int refused(struct fakeip *f, const char *name, uint64_t now)
{
	uint32_t index;

	return fakeip_assign(f, name, strlen(name), now, &index);
}

/* ---- the map ---- */

static void maps_both_ways(void **state)
{
	struct fakeip *f = fakeip_new(&plain);
	uint32_t i = assign(f, "www.example", 0);
	struct addr a = fakeip_v4(f, i, 443), b = fakeip_v6(f, i, 443);

	(void)state;
	assert_int_equal(a.port, 443);
	assert_int_equal(b.ip.bytes[0], 0xfd);
	assert_true(fakeip_is_fake(f, &a) && fakeip_is_fake(f, &b));
	assert_string_equal(name_of(f, a), "www.example");
	assert_string_equal(name_of(f, b), "www.example");
	assert_int_equal(assign(f, "www.example", 1), i);
	assert_int_not_equal(assign(f, "example", 1), i);
	assert_int_equal(fakeip_count(f), 2);
	fakeip_free(f);
}

static void says_which_addresses_are_its_own(void **state)
{
	struct fakeip *f = fakeip_new(&plain);
	struct addr a, unmapped6;

	(void)state;
	a = v4(198, 17, 255, 255);
	assert_false(fakeip_is_fake(f, &a));
	a = v4(198, 20, 0, 0);
	assert_false(fakeip_is_fake(f, &a));
	a = v4(198, 18, 0, 0);
	assert_true(fakeip_is_fake(f, &a));
	assert_string_equal(name_of(f, a), "");
	a = v4(198, 19, 255, 255);
	assert_true(fakeip_is_fake(f, &a));
	assert_string_equal(name_of(f, a), "");
	assert_string_equal(name_of(f, v4(198, 19, 255, 254)), "");
	unmapped6 = fakeip_v6(f, assign(f, "x.example", 0), 1);
	unmapped6.ip.bytes[15] = 0;
	assert_true(fakeip_is_fake(f, &unmapped6));
	assert_string_equal(name_of(f, unmapped6), "");
	unmapped6.ip.bytes[8] = 1;
	unmapped6.ip.bytes[15] = 1;
	assert_string_equal(name_of(f, unmapped6), "");
	memset(unmapped6.ip.bytes + 8, 0xff, 8);
	assert_string_equal(name_of(f, unmapped6), "");
	fakeip_free(f);
}

/* All of them: distinct, none a network or broadcast address, each found again. */
static void gives_out_the_whole_range(void **state)
{
	struct fakeip *f = fakeip_new(&plain);
	char name[32];
	uint32_t last = 0;

	(void)state;
	for (unsigned i = 0; i < FAKEIP_MAX; i++) {
		snprintf(name, sizeof(name), "h%u.example", i);
		uint32_t index = assign(f, name, 0);
		struct addr a = fakeip_v4(f, index, 0);
		uint32_t ip = (uint32_t)a.ip.bytes[0] << 24 | a.ip.bytes[1] << 16 | a.ip.bytes[2] << 8 | a.ip.bytes[3];
		assert_true(ip > last && fakeip_is_fake(f, &a));
		assert_true(a.ip.bytes[3] != 0 && a.ip.bytes[3] != 255);
		assert_string_equal(name_of(f, a), name);
		assert_string_equal(name_of(f, fakeip_v6(f, index, 0)), name);
		last = ip;
	}
	assert_int_equal(last, 0xc613fffe);
	assert_int_equal(fakeip_count(f), FAKEIP_MAX);
	assert_int_equal(refused(f, "one.more", 0), -ENOSPC);
	fakeip_free(f);
}

static void never_gives_away_what_is_in_use(void **state)
{
	struct fakeip_options two = { .max = 2 };
	struct fakeip *f = fakeip_new(&two);
	uint32_t a = assign(f, "a.example", 0), b = assign(f, "b.example", 0), c, d;

	(void)state;
	fakeip_touch(f, a, 10);
	assert_int_equal(refused(f, "c.example", FAKEIP_ANSWERED_MS - 1), -ENOSPC);
	/* Asked again: its time begins anew. */
	assign(f, "b.example", FAKEIP_ANSWERED_MS - 1);
	assert_int_equal(refused(f, "c.example", FAKEIP_ANSWERED_MS), -ENOSPC);
	c = assign(f, "c.example", 2 * FAKEIP_ANSWERED_MS);
	assert_int_equal(c, b);
	assert_string_equal(name_of(f, fakeip_v4(f, c, 0)), "c.example");
	assert_string_equal(name_of(f, fakeip_v4(f, a, 0)), "a.example");
	/* A flow that goes on keeps its name, an old one loses it. */
	fakeip_touch(f, c, 2 * FAKEIP_ANSWERED_MS);
	assert_int_equal(refused(f, "d.example", FAKEIP_USED_MS), -ENOSPC);
	fakeip_touch(f, c, FAKEIP_USED_MS);
	d = assign(f, "d.example", FAKEIP_USED_MS + 10);
	assert_int_equal(d, a);
	assert_string_equal(name_of(f, fakeip_v4(f, c, 0)), "c.example");
	assert_int_equal(fakeip_count(f), 2);
	/* And the one that lost its address has none. */
	assert_int_equal(refused(f, "a.example", FAKEIP_USED_MS + 11), -ENOSPC);
	fakeip_free(f);
}

/* More than are looked at together, in an order that is not that of their indices. */
#define FULL 200u

static void gives_away_the_longest_unused(void **state)
{
	struct fakeip_options o = { .max = FULL };
	struct fakeip *f = fakeip_new(&o);
	uint64_t later = 2 * FAKEIP_USED_MS;
	uint32_t index[FULL];
	char name[32];

	(void)state;
	for (unsigned i = 0; i < FULL; i++) {
		snprintf(name, sizeof(name), "old%u.example", i);
		index[i] = assign(f, name, 1);
	}
	for (unsigned i = 0; i < FULL; i++)
		fakeip_touch(f, index[i * 7 % FULL], 1000 + i * 10);
	fakeip_touch(f, index[0], later); /* it was the oldest, and 5 * 7 the sixth */
	for (unsigned i = 1; i < FULL; i++) {
		if (i == 3)
			fakeip_touch(f, index[5 * 7], later);
		if (i == 5)
			continue;
		snprintf(name, sizeof(name), "new%u.example", i);
		assert_int_equal(assign(f, name, later), index[i * 7 % FULL]);
	}
	assert_int_equal(refused(f, "more.example", later), -ENOSPC);
	assert_string_equal(name_of(f, fakeip_v4(f, index[35], 0)), "old35.example");
	assert_int_equal(fakeip_count(f), FULL);
	fakeip_free(f);
}

/* Nobody was over when it was asked first; later one of them is, and one that was forgotten. */
static void looks_again_when_there_may_be_one(void **state)
{
	struct fakeip_options o = { .max = 3 };
	struct fakeip *f = fakeip_new(&o);
	uint32_t a = assign(f, "a.example", 1), b = assign(f, "b.example", 50), c = assign(f, "c.example", 70);

	(void)state;
	fakeip_touch(f, a, 100);
	assert_int_equal(refused(f, "d.example", 200), -ENOSPC);
	assert_int_equal(refused(f, "d.example", FAKEIP_ANSWERED_MS + 49), -ENOSPC);
	assert_int_equal(assign(f, "d.example", FAKEIP_ANSWERED_MS + 50), b);
	assert_int_equal(refused(f, "e.example", FAKEIP_ANSWERED_MS + 60), -ENOSPC);
	assert_int_equal(fakeip_flush(f, FAKEIP_ANSWERED_MS + 60), 2);
	assert_int_equal(assign(f, "e.example", FAKEIP_ANSWERED_MS + 60) + assign(f, "f.example", FAKEIP_ANSWERED_MS + 60), a + c);
	fakeip_free(f);
}

static void forgets_what_rests_when_told_to(void **state)
{
	struct fakeip *f = fakeip_new(&plain);
	uint32_t a = assign(f, "a.example", 1), b = assign(f, "b.example", 1);

	(void)state;
	assert_int_equal(fakeip_flush(f, 2), 0);
	fakeip_touch(f, a, FAKEIP_FLUSH_MS);
	assert_int_equal(fakeip_flush(f, FAKEIP_FLUSH_MS + 1), 1);
	assert_string_equal(name_of(f, fakeip_v4(f, a, 0)), "a.example");
	assert_string_equal(name_of(f, fakeip_v4(f, b, 0)), "");
	assert_int_equal(assign(f, "a.example", FAKEIP_FLUSH_MS), a);
	assert_int_equal(fakeip_count(f), 1);
	fakeip_free(f);
}

static void keeps_as_long_as_it_is_told(void **state)
{
	struct fakeip_options one = { .max = 1, .keep_s = 10 };
	struct fakeip *f = fakeip_new(&one);

	(void)state;
	fakeip_touch(f, assign(f, "a.example", 1), 1);
	assert_int_equal(refused(f, "b.example", 10000), -ENOSPC);
	assign(f, "b.example", 10001);
	fakeip_free(f);
}

static void takes_the_ranges_it_is_given(void **state)
{
	static const uint8_t ip6[16] = { 0xfd, 0xff, 0x10 };
	struct fakeip_options o = { .net4 = v4(10, 255, 3, 16), .len4 = 28, .net6 = addr_v6(ip6, 0), .len6 = 20 };
	struct fakeip *f = fakeip_new(&o);
	uint32_t first = assign(f, "n0.example", 0), last = first;
	struct addr a;
	char name[32];

	(void)state;
	for (unsigned i = 1; i < 14; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		last = assign(f, name, 0);
	}
	assert_int_equal(refused(f, "more.example", 0), -ENOSPC);
	a = fakeip_v4(f, first, 0);
	assert_memory_equal(a.ip.bytes, ((uint8_t[]){ 10, 255, 3, 17 }), 4);
	a = fakeip_v4(f, last, 0);
	assert_memory_equal(a.ip.bytes, ((uint8_t[]){ 10, 255, 3, 30 }), 4);
	assert_string_equal(name_of(f, a), "n13.example");
	assert_string_equal(name_of(f, fakeip_v6(f, last, 0)), "n13.example");
	a = v4(10, 255, 3, 31);
	assert_true(fakeip_is_fake(f, &a));
	assert_string_equal(name_of(f, a), "");
	a = v4(10, 255, 3, 32);
	assert_false(fakeip_is_fake(f, &a));
	a = fakeip_v6(f, last, 0);
	a.ip.bytes[2] ^= 0x08; /* the 21st bit: of the range, and nobody's */
	assert_true(fakeip_is_fake(f, &a));
	assert_string_equal(name_of(f, a), "");
	a.ip.bytes[2] ^= 0x10;
	assert_false(fakeip_is_fake(f, &a));
	fakeip_free(f);
}

static void a_process_has_its_own_ipv6_range(void **state)
{
	struct fakeip *f = fakeip_new(&plain), *g = fakeip_new(&plain);
	uint8_t len;
	struct addr a = fakeip_net6(f, &len), b = fakeip_net6(g, &len);

	(void)state;
	assert_int_equal(len, 64);
	assert_false(addr_ip_equal(&a, &b));
	fakeip_free(f);
	fakeip_free(g);
}

/* ---- processes ---- */

#define WRITERS 4
#define NAMES 400u

static void write_names(struct fakeip *f, unsigned writer)
{
	for (unsigned i = 0; i < NAMES; i++) {
		char name[32];
		uint32_t index;

		/* every writer wants the same names, each in an order of its own */
		snprintf(name, sizeof(name), "n%u.example", (i * 7 + writer * 101) % NAMES);
		if (fakeip_assign(f, name, strlen(name), 1, &index) != 0)
			_exit(1);
		if (strcmp(name_of(f, fakeip_v4(f, index, 0)), name) != 0)
			_exit(2);
	}
}

static void processes_give_a_name_one_address(void **state)
{
	struct fakeip_options o = { .shared = true };
	struct fakeip *f = fakeip_new(&o);
	pid_t pids[WRITERS];
	int status;

	(void)state;
	for (unsigned w = 0; w < WRITERS; w++) {
		pids[w] = fork();
		if (pids[w] == 0) {
			write_names(f, w);
			_exit(0);
		}
	}
	for (unsigned w = 0; w < WRITERS; w++) {
		assert_int_equal(waitpid(pids[w], &status, 0), pids[w]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(fakeip_count(f), NAMES);
	write_names(f, 0);
	assert_int_equal(fakeip_count(f), NAMES);
	fakeip_free(f);
}

static void check_whole(const struct fakeip *f)
{
	char name[256];
	uint32_t index, live = 0;

	for (uint32_t i = 0; i < f->common->count; i++) {
		struct addr a = fakeip_v4(f, i, 0);

		if (!fakeip_find(f, &a, name, &index))
			continue;
		assert_int_equal(index, i);
		assert_int_equal(name[0], 'w');
		live++;
		for (uint32_t j = 0; j < i; j++)
			assert_false(f->records[j].len && !strcmp(f->records[j].name, name));
	}
	assert_int_equal(fakeip_count(f), live);
}

/* With so few addresses, all over at once, every name takes another's. */
static void churn(struct fakeip *f)
{
	for (unsigned i = 0;; i++) {
		char name[64];
		uint32_t index;

		snprintf(name, sizeof(name), "w%u.%d.example", i, (int)getpid());
		fakeip_assign(f, name, strlen(name), 1 + i * UINT64_C(1000000), &index);
	}
}

static void a_writer_may_be_killed_at_any_moment(void **state)
{
	struct fakeip_options o = { .shared = true, .max = 16 };
	struct fakeip *f = fakeip_new(&o);
	int status;

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		pid_t pid = fork();

		if (pid == 0)
			churn(f);
		while (__atomic_load_n(&f->common->count, __ATOMIC_RELAXED) < 16)
			;
		usleep(round * 37 % 500);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assign(f, "wlast.example", UINT64_MAX / 2 + round * UINT64_C(10000000));
		check_whole(f);
	}
	fakeip_free(f);
}

/* Killed with the lock, in the middle of a record. */
static void what_was_half_written_is_nobodys(void **state)
{
	struct fakeip_options o = { .shared = true };
	struct fakeip *f = fakeip_new(&o);
	uint32_t a = assign(f, "whole.example", 1), b = assign(f, "half.example", 1);
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		shared_lock(&f->common->lock);
		f->common->slots[b].turn++;
		memcpy(f->records[b].name, "fals", 4);
		memset(f->common->buckets, 0xff, sizeof(f->common->buckets));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_string_equal(name_of(f, fakeip_v4(f, b, 0)), "");
	assert_int_equal(assign(f, "whole.example", 2), a);
	assert_string_equal(name_of(f, fakeip_v4(f, a, 0)), "whole.example");
	assert_string_equal(name_of(f, fakeip_v4(f, b, 0)), "");
	assert_int_equal(fakeip_count(f), 1);
	assert_string_equal(name_of(f, fakeip_v4(f, assign(f, "half.example", 3), 0)), "half.example");
	fakeip_free(f);
}

/* ---- the file ---- */

static struct fakeip *open_file(const struct fakeip_options *o, uint64_t now, enum fakeip_found wanted)
{
	enum fakeip_found found;
	int err;
	struct fakeip *f = fakeip_open(o, path, now, &found, &err);

	assert_int_equal(err, 0);
	assert_int_equal(found, wanted);
	return f;
}

static void write_at(long at, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY);

	assert_int_equal(pwrite(fd, data, len, at < 0 ? lseek(fd, 0, SEEK_END) + at : at), (ssize_t)len);
	close(fd);
}

static void record_at(uint32_t index, size_t offset, const void *data, size_t len)
{
	write_at(4096 + (long)(index * sizeof(struct fakeip_record) + offset), data, len);
}

static int fresh_path(void **state)
{
	(void)state;
	unlink(path);
	unlink(old_path);
	return 0;
}

static void a_file_keeps_the_names(void **state)
{
	struct fakeip *f = open_file(&plain, 1000, FAKEIP_FRESH);
	uint32_t a = assign(f, "a.example", 1000), b = assign(f, "b.example", 1000);
	struct addr a4 = fakeip_v4(f, a, 0), b6 = fakeip_v6(f, b, 0);
	struct stat st;

	(void)state;
	fakeip_touch(f, a, 1000);
	fakeip_free(f);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	f = open_file(&plain, 50, FAKEIP_KEPT);
	assert_int_equal(fakeip_count(f), 2);
	assert_string_equal(name_of(f, a4), "a.example");
	assert_string_equal(name_of(f, b6), "b.example");
	assert_int_equal(assign(f, "b.example", 60), b);
	assert_int_equal(assign(f, "c.example", 60), 2);
	fakeip_free(f);
}

/* A mapping found in the file lives for its time from now, by the clock of now. */
static void no_address_is_reused_over_a_restart(void **state)
{
	struct fakeip_options two = { .max = 2 };
	struct fakeip *f = open_file(&two, 1, FAKEIP_FRESH);
	uint32_t a = assign(f, "a.example", 1), b = assign(f, "b.example", 1);

	(void)state;
	fakeip_touch(f, a, 1);
	fakeip_free(f);
	f = open_file(&two, 1000000, FAKEIP_KEPT);
	assert_int_equal(refused(f, "c.example", 1000000 + FAKEIP_ANSWERED_MS - 1), -ENOSPC);
	assert_int_equal(assign(f, "c.example", 1000000 + FAKEIP_ANSWERED_MS), b);
	fakeip_touch(f, b, 1000000 + FAKEIP_USED_MS / 2);
	assert_int_equal(refused(f, "d.example", 1000000 + FAKEIP_USED_MS - 1), -ENOSPC);
	fakeip_free(f);
}

static void only_one_has_it_at_a_time(void **state)
{
	struct fakeip *f = open_file(&plain, 1, FAKEIP_FRESH);
	enum fakeip_found found;
	int err;

	(void)state;
	assert_null(fakeip_open(&plain, path, 1, &found, &err));
	assert_int_equal(err, EBUSY);
	fakeip_free(f);
	fakeip_free(open_file(&plain, 1, FAKEIP_KEPT));
}

static void killed_writers_leave_whole_names(void **state)
{
	struct fakeip_options o = { .max = 16 };
	int status;

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		pid_t pid = fork();

		if (pid == 0) {
			enum fakeip_found found;
			int err;

			churn(fakeip_open(&o, path, 1, &found, &err));
		}
		usleep(3000 + round * 211 % 2000);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		struct stat st;
		if (stat(path, &st) < 0 || st.st_size < 4096)
			continue; /* killed before it had one */
		enum fakeip_found found;
		int err;
		struct fakeip *f = fakeip_open(&o, path, 1, &found, &err);
		assert_non_null(f);
		check_whole(f);
		fakeip_free(f);
	}
}

static void a_bad_record_is_nobodys(void **state)
{
	struct fakeip *f = open_file(&plain, 1, FAKEIP_FRESH);
	static const uint8_t len = 255, none = 0;
	char name[16];

	(void)state;
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "n%d.xy", i);
		assign(f, name, 1);
	}
	fakeip_free(f);
	record_at(1, offsetof(struct fakeip_record, name), "z", 1);
	record_at(2, offsetof(struct fakeip_record, len), &len, 1);
	record_at(3, offsetof(struct fakeip_record, sum), "12345678", 8);
	record_at(5, offsetof(struct fakeip_record, len), &none, 1);
	f = open_file(&plain, 1, FAKEIP_KEPT);
	assert_int_equal(fakeip_count(f), 2);
	assert_int_equal(assign(f, "n0.xy", 1), 0);
	assert_int_equal(assign(f, "n4.xy", 1), 4);
	assert_string_equal(name_of(f, fakeip_v4(f, 2, 0)), "");
	fakeip_free(f);
}

/* Who can write into the file does it while we have it open. */
static void a_file_that_changes_under_us_breaks_no_chain(void **state)
{
	struct fakeip_options few = { .max = 24 };
	struct fakeip *f = open_file(&few, 1, FAKEIP_FRESH);
	uint64_t now = 1;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t at = i * 5 % 24, index;
		char name[32];

		if (i >= 24 && i % 3 == 0)
			f->records[at].len = (uint8_t)(i % 7 ? 0 : i);
		else if (i >= 24)
			f->records[at].name[0] = (char)('a' + i % 5);
		snprintf(name, sizeof(name), "%c%u.example", 'a' + i % 5, i % 11);
		now += FAKEIP_USED_MS;
		assert_int_equal(fakeip_assign(f, name, strlen(name), now, &index), 0);
		assert_true(index < 24);
	}
	fakeip_free(f);
}

static void a_torn_tail_costs_the_tail(void **state)
{
	struct fakeip *f = open_file(&plain, 1, FAKEIP_FRESH);

	(void)state;
	assign(f, "a.example", 1);
	assign(f, "b.example", 1);
	fakeip_free(f);
	assert_int_equal(truncate(path, 4096 + sizeof(struct fakeip_record) + 20), 0);
	f = open_file(&plain, 1, FAKEIP_KEPT);
	assert_int_equal(fakeip_count(f), 1);
	assert_int_equal(assign(f, "a.example", 1), 0);
	assert_int_equal(assign(f, "b.example", 1), 1);
	fakeip_free(f);
}

static void a_damaged_head_begins_anew(void **state)
{
	static const off_t sizes[] = { 16, 17, 40, 4095 };

	(void)state;
	for (size_t i = 0; i < 1 + sizeof(sizes) / sizeof(*sizes); i++) {
		unlink(path);
		struct fakeip *f = open_file(&plain, 1, FAKEIP_FRESH);
		assign(f, "a.example", 1);
		fakeip_free(f);
		if (i)
			assert_int_equal(truncate(path, sizes[i - 1]), 0);
		else
			write_at(30, "XX", 2);
		f = open_file(&plain, 1, i == 4 ? FAKEIP_KEPT : FAKEIP_DAMAGED); /* a head that is whole but for its padding is one */
		assert_int_equal(fakeip_count(f), 0);
		assign(f, "b.example", 1);
		fakeip_free(f);
		f = open_file(&plain, 1, FAKEIP_KEPT);
		assert_int_equal(fakeip_count(f), 1);
		fakeip_free(f);
	}
}

static void another_range_begins_anew(void **state)
{
	struct fakeip_options o = { .net4 = v4(10, 255, 0, 0), .len4 = 16 };
	struct fakeip *f = open_file(&plain, 1, FAKEIP_FRESH);

	(void)state;
	assign(f, "a.example", 1);
	fakeip_free(f);
	f = open_file(&o, 1, FAKEIP_OTHER_RANGE);
	assert_int_equal(fakeip_count(f), 0);
	fakeip_free(f);
	fakeip_free(open_file(&o, 1, FAKEIP_KEPT));
	fakeip_free(open_file(&plain, 1, FAKEIP_OTHER_RANGE));
}

static void what_is_not_ours_is_set_aside(void **state)
{
	static const char text[] = "somebody's letters\n";
	char back[sizeof(text)] = "";
	enum fakeip_found found;
	int err, fd = open(path, O_WRONLY | O_CREAT, 0644);

	(void)state;
	assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
	close(fd);
	fakeip_free(open_file(&plain, 1, FAKEIP_FOREIGN));
	fakeip_free(open_file(&plain, 1, FAKEIP_KEPT));
	fd = open(old_path, O_RDONLY);
	assert_int_equal(read(fd, back, sizeof(back)), sizeof(text));
	assert_string_equal(back, text);
	close(fd);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(fakeip_open(&plain, path, 1, &found, &err));
	assert_int_equal(err, EINVAL);
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_null(fakeip_open(&plain, path, 1, &found, &err));
	assert_int_equal(err, ELOOP);
}

/* Every byte of a small file in turn: opened or begun anew, and never more than it holds. */
static void no_byte_of_a_file_is_trusted(void **state)
{
	struct fakeip_options o = { .max = 4 };
	struct fakeip *f = open_file(&o, 1, FAKEIP_FRESH);
	enum fakeip_found found;
	struct stat st;
	uint8_t was;
	int err, fd;

	(void)state;
	assign(f, "wa.example", 1);
	assign(f, "wb.example", 1);
	fakeip_free(f);
	assert_int_equal(stat(path, &st), 0);
	for (off_t at = 0; at < st.st_size; at += at >= 100 && at < 4090 ? 499 : 1) {
		fd = open(path, O_RDWR);
		assert_int_equal(pread(fd, &was, 1, at), 1);
		was ^= 0xff;
		assert_int_equal(pwrite(fd, &was, 1, at), 1);
		close(fd);
		f = fakeip_open(&o, path, 1, &found, &err);
		assert_non_null(f);
		check_whole(f);
		assign(f, "wa.example", 1);
		assign(f, "wb.example", 1);
		check_whole(f);
		fakeip_free(f);
	}
}

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/names", directory);
	snprintf(old_path, sizeof(old_path), "%s.old", path);
	return 0;
}

static int remove_directory(void **state)
{
	fresh_path(state);
	return rmdir(directory);
}

/* Whoever opens it has another place: in memory. */
static void a_full_disk_is_told_at_once(void **state)
{
	struct rlimit before, small;
	enum fakeip_found found;
	int err = 0;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 8192; /* the head fits */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_null(fakeip_open(&plain, path, 1, &found, &err));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(err, ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_both_ways),
		cmocka_unit_test(says_which_addresses_are_its_own),
		cmocka_unit_test(gives_out_the_whole_range),
		cmocka_unit_test(never_gives_away_what_is_in_use),
		cmocka_unit_test(gives_away_the_longest_unused),
		cmocka_unit_test(looks_again_when_there_may_be_one),
		cmocka_unit_test(forgets_what_rests_when_told_to),
		cmocka_unit_test(keeps_as_long_as_it_is_told),
		cmocka_unit_test(takes_the_ranges_it_is_given),
		cmocka_unit_test(a_process_has_its_own_ipv6_range),
		cmocka_unit_test(processes_give_a_name_one_address),
		cmocka_unit_test(a_writer_may_be_killed_at_any_moment),
		cmocka_unit_test(what_was_half_written_is_nobodys),
		cmocka_unit_test_setup(a_file_keeps_the_names, fresh_path),
		cmocka_unit_test_setup(no_address_is_reused_over_a_restart, fresh_path),
		cmocka_unit_test_setup(only_one_has_it_at_a_time, fresh_path),
		cmocka_unit_test_setup(killed_writers_leave_whole_names, fresh_path),
		cmocka_unit_test_setup(a_bad_record_is_nobodys, fresh_path),
		cmocka_unit_test_setup(a_file_that_changes_under_us_breaks_no_chain, fresh_path),
		cmocka_unit_test_setup(a_torn_tail_costs_the_tail, fresh_path),
		cmocka_unit_test_setup(a_damaged_head_begins_anew, fresh_path),
		cmocka_unit_test_setup(another_range_begins_anew, fresh_path),
		cmocka_unit_test_setup(what_is_not_ours_is_set_aside, fresh_path),
		cmocka_unit_test_setup(no_byte_of_a_file_is_trusted, fresh_path),
		cmocka_unit_test_setup(a_full_disk_is_told_at_once, fresh_path),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
