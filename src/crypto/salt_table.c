/*
 * Buckets of eight places, a place one word: a keyed fingerprint of a salt, or 0.
 * A word is read and written at once, so processes share a table without a
 * lock: who finds a salt's place taken meanwhile looks again, and two that come
 * with the same salt choose the same place, so one of them sees the other's. A
 * full bucket gives up the place that the fingerprint names.
 *
 *	file	head (a page: magic, size, key, sum) | buckets
 *
 * Every state of the buckets is a valid one: a page that never reached the disk
 * forgets some salts, and random words in place of it are salts that nobody
 * will send. Only the head can be wrong, and then the file is replaced. It is
 * made aside and renamed, under a lock of the directory, and its blocks are allocated
 * before it is mapped: a full disk is an error at the start and not a signal
 * later. The key is in the file, since fingerprints must mean the same after a
 * restart; who can read it learns which salts it may hold, which is no secret.
 */
#include "crypto/salt_table.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/shared.h"

#define WAYS 8u
#define PAGE 4096u
#define MEMORY_BUCKETS (1u << 14)
#define FILE_BUCKETS (1u << 17)
#define FILE_SIZE (PAGE + (size_t)FILE_BUCKETS * WAYS * sizeof(uint64_t))

static const char magic[16] = "gatun salts 1\n";

struct head {
	char magic[16];
	uint64_t buckets;
	uint8_t key[crypto_shorthash_KEYBYTES];
	uint8_t sum[crypto_shorthash_BYTES]; /* of all before it, under the key */
};

struct salt_table {
	void *mapping;
	size_t size;
	uint64_t (*buckets)[WAYS];
	uint64_t mask;
	uint8_t key[crypto_shorthash_KEYBYTES];
};

/* ---- salts ---- */

static uint64_t fingerprint(const struct salt_table *t, const uint8_t *salt, size_t len)
{
	uint64_t print;

	crypto_shorthash((uint8_t *)&print, salt, len, t->key);
	return print ? print : 1;
}

/* The place for it: an empty one, or the one that it names; NULL: it is there. */
static uint64_t *find_place(uint64_t *bucket, uint64_t print, uint64_t *holds)
{
	uint64_t *place = NULL;

	for (unsigned i = 0; i < WAYS; i++) {
		uint64_t word = __atomic_load_n(&bucket[i], __ATOMIC_RELAXED);

		if (word == print)
			return NULL;
		if (!place && !word) {
			place = &bucket[i];
			*holds = 0;
		}
	}
	if (!place) {
		place = &bucket[print >> 61];
		*holds = __atomic_load_n(place, __ATOMIC_RELAXED);
	}
	return place;
}

bool salt_table_take(struct salt_table *t, const uint8_t *salt, size_t len)
{
	uint64_t print = fingerprint(t, salt, len), *bucket = t->buckets[print & t->mask], *place, holds;

	do {
		place = find_place(bucket, print, &holds);
		if (!place || holds == print)
			return false;
	} while (!__atomic_compare_exchange_n(place, &holds, print, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

/* ---- in memory ---- */

struct salt_table *salt_table_new(bool shared)
{
	struct salt_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->size = MEMORY_BUCKETS * WAYS * sizeof(uint64_t);
	t->mapping = shared_map(t->size, shared);
	if (!t->mapping) {
		free(t);
		return NULL;
	}
	t->buckets = t->mapping;
	t->mask = MEMORY_BUCKETS - 1;
	randombytes_buf(t->key, sizeof(t->key));
	return t;
}

void salt_table_free(struct salt_table *t)
{
	if (!t)
		return;
	shared_unmap(t->mapping, t->size);
	free(t);
}

/* ---- in a file ---- */

static void sum_of(const struct head *h, uint8_t out[crypto_shorthash_BYTES])
{
	crypto_shorthash(out, (const uint8_t *)h, offsetof(struct head, sum), h->key);
}

static bool is_sound(int fd)
{
	uint8_t sum[crypto_shorthash_BYTES];
	struct head h;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != (off_t)FILE_SIZE)
		return false;
	if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || memcmp(h.magic, magic, sizeof(magic)) != 0 ||
	    h.buckets != FILE_BUCKETS)
		return false;
	sum_of(&h, sum);
	return memcmp(sum, h.sum, sizeof(sum)) == 0;
}

static int write_new(int fd)
{
	struct head h = { .buckets = FILE_BUCKETS };
	int err = posix_fallocate(fd, 0, (off_t)FILE_SIZE);
	ssize_t n;

	if (err)
		return err;
	memcpy(h.magic, magic, sizeof(magic));
	randombytes_buf(h.key, sizeof(h.key));
	sum_of(&h, h.sum);
	n = pwrite(fd, &h, sizeof(h), 0);
	return n == (ssize_t)sizeof(h) ? 0 : n < 0 ? errno : EIO;
}

/* In place of whatever has its name. Returns the descriptor, or -errno. */
static int make_file(int dir)
{
	static const char aside[] = SALT_TABLE_FILE ".new";
	int fd, err;

	unlinkat(dir, aside, 0); /* of one who was killed here */
	fd = openat(dir, aside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	err = write_new(fd);
	if (!err && renameat(dir, aside, dir, SALT_TABLE_FILE) < 0)
		err = errno;
	if (!err)
		return fd;
	unlinkat(dir, aside, 0);
	close(fd);
	return -err;
}

static int open_file(int dir, bool *damaged)
{
	int fd = openat(dir, SALT_TABLE_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno != ENOENT)
		return -errno;
	if (fd >= 0 && is_sound(fd))
		return fd;
	*damaged = fd >= 0;
	if (fd >= 0)
		close(fd);
	return make_file(dir);
}

static int map_file(struct salt_table *t, int fd)
{
	struct head h;

	if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		return EIO;
	t->size = FILE_SIZE;
	t->mapping = mmap(NULL, t->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (t->mapping == MAP_FAILED)
		return errno;
	t->buckets = (void *)((uint8_t *)t->mapping + PAGE);
	t->mask = FILE_BUCKETS - 1;
	memcpy(t->key, h.key, sizeof(t->key));
	return 0;
}

/* The descriptor of the directory, locked until it is closed; or -errno. */
static int open_directory(const char *path)
{
	int fd, err;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX) == 0)
		return fd;
	err = errno;
	close(fd);
	return -err;
}

struct salt_table *salt_table_open(const char *directory, bool *damaged, int *err)
{
	struct salt_table *t = calloc(1, sizeof(*t));
	int dir = t ? open_directory(directory) : -ENOMEM, fd = -1;

	*damaged = false;
	*err = dir < 0 ? -dir : 0;
	if (!*err) {
		fd = open_file(dir, damaged);
		*err = fd < 0 ? -fd : map_file(t, fd);
		close(dir);
	}
	if (fd >= 0)
		close(fd);
	if (!*err)
		return t;
	free(t);
	return NULL;
}
