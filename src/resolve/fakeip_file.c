/*
 * A map in a file, so that addresses mean after a restart what they meant
 * before (an app may hold one for as long as it runs):
 *
 *	head (a page: magic, sizes, ranges, key, sum) | records by index
 *
 * The file is mapped, so that what was written is there whoever is killed, and
 * a record counts only if its sum is right: one that was half written, or never
 * reached the disk when the machine stopped, is nobody's. Nothing is appended
 * and nothing moved, so there is nothing to compact: at most FAKEIP_MAX records
 * of 272 bytes, grown by CHUNK of them at a time, whose blocks are allocated
 * before they are touched (a full disk then is no more addresses, and not a
 * signal).
 *
 * A head that is wrong, or of other ranges, is written anew. A file that was
 * never ours is moved aside, since whoever named it may have erred.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/shared.h"
#include "resolve/fakeip_impl.h"

#define PAGE 4096u
#define CHUNK 1024u
#define PATH_MAX_LEN 4096
#define WAIT_STEP_MS 20
#define WAIT_MS 1000 /* for processes that were killed, or are ending */

static const char magic[16] = FAKEIP_MAGIC;

static void sum_of(const struct fakeip_head *h, uint8_t *out)
{
	crypto_shorthash(out, (const uint8_t *)h, offsetof(struct fakeip_head, sum), h->key);
}

/* ---- the file ---- */

/* Is what we have open still what the path names? */
static bool is_at(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* 0 or an errno. */
static int lock_file(int fd)
{
	struct timespec step = { .tv_nsec = WAIT_STEP_MS * 1000000L };

	for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += WAIT_STEP_MS) {
		if (errno != EWOULDBLOCK || waited >= WAIT_MS)
			return errno == EWOULDBLOCK ? EBUSY : errno;
		nanosleep(&step, NULL); /* its end is no event that we could wait for */
	}
	return 0;
}

/* Locked, and at its path. The descriptor or -errno. */
static int open_locked(const char *path)
{
	struct stat st;
	int fd, err;

	do {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
		if (fd < 0)
			return -errno;
		err = fstat(fd, &st) < 0 ? errno : S_ISREG(st.st_mode) ? lock_file(fd) : EINVAL;
		if (!err && is_at(fd, path))
			return fd;
		close(fd);
	} while (!err);
	return -err;
}

/* Moves what is not ours out of the way. */
static int set_aside(int *fd, const char *path)
{
	char old[PATH_MAX_LEN + 8];

	snprintf(old, sizeof(old), "%s.old", path);
	if (rename(path, old) < 0)
		return errno;
	close(*fd);
	*fd = open_locked(path);
	return *fd < 0 ? -*fd : 0;
}

static int write_head(struct fakeip *f, int fd)
{
	struct fakeip_head h = { .record_size = sizeof(struct fakeip_record), .net4 = f->net4, .len4 = f->len4, .len6 = f->len6 };
	ssize_t n;

	memcpy(h.magic, magic, sizeof(magic));
	memcpy(h.net6, f->net6, sizeof(h.net6));
	randombytes_buf(h.key, sizeof(h.key));
	memcpy(f->key, h.key, sizeof(h.key));
	sum_of(&h, h.sum);
	if (ftruncate(fd, 0) < 0 || ftruncate(fd, PAGE) < 0)
		return errno;
	n = pwrite(fd, &h, sizeof(h), 0);
	return n == (ssize_t)sizeof(h) ? 0 : n < 0 ? errno : EIO;
}

static bool is_sound(const struct fakeip_head *h)
{
	uint8_t sum[crypto_shorthash_BYTES];

	sum_of(h, sum);
	return memcmp(sum, h->sum, sizeof(sum)) == 0 && h->record_size == sizeof(struct fakeip_record);
}

static bool is_random_range(const uint8_t *net6)
{
	static const uint8_t hosts[8];

	return net6[0] == 0xfd && memcmp(net6 + 8, hosts, sizeof(hosts)) == 0;
}

/* A random IPv6 range of ours stays what it was. */
static bool is_range(const struct fakeip *f, const struct fakeip_options *o, const struct fakeip_head *h)
{
	return h->net4 == f->net4 && h->len4 == f->len4 && h->len6 == f->len6 &&
	       (o->net6.family ? memcmp(h->net6, f->net6, sizeof(h->net6)) == 0 : is_random_range(h->net6));
}

static enum fakeip_found judge(struct fakeip *f, const struct fakeip_options *o, int fd)
{
	struct fakeip_head h;
	ssize_t n = pread(fd, &h, sizeof(h), 0);

	if (n == 0)
		return FAKEIP_FRESH;
	if (n < (ssize_t)sizeof(h.magic) || memcmp(h.magic, magic, sizeof(magic)) != 0)
		return FAKEIP_FOREIGN;
	if (n != (ssize_t)sizeof(h) || !is_sound(&h))
		return FAKEIP_DAMAGED;
	if (!is_range(f, o, &h))
		return FAKEIP_OTHER_RANGE;
	memcpy(f->net6, h.net6, sizeof(f->net6));
	memcpy(f->key, h.key, sizeof(f->key));
	return FAKEIP_KEPT;
}

/* ---- its records ---- */

/* Blocks for all records up to `room`. 0 or an errno. */
static int allocate(struct fakeip *f, uint32_t room)
{
	return posix_fallocate(f->fd, 0, (off_t)(PAGE + (size_t)room * sizeof(struct fakeip_record)));
}

int fakeip_grow(struct fakeip *f)
{
	uint32_t room = f->max - f->common->room < CHUNK ? f->max : f->common->room + CHUNK;

	if (f->fd < 0 || allocate(f, room) != 0)
		return -ENOSPC;
	f->common->room = room;
	return 0;
}

/* How many whole records it holds; one that is cut short does not count. */
static int read_room(struct fakeip *f)
{
	size_t n;
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return errno;
	n = st.st_size > (off_t)PAGE ? ((size_t)st.st_size - PAGE) / sizeof(struct fakeip_record) : 0;
	f->common->room = f->common->count = n < f->max ? (uint32_t)n : f->max;
	return allocate(f, f->common->room);
}

static int map_records(struct fakeip *f, uint64_t now_ms)
{
	int err = read_room(f);

	/* A disk with no room for even the first names is told now: later it would leave all of them without an address. */
	if (!err && !f->common->room)
		err = -fakeip_grow(f);
	if (err)
		return err;
	f->size = PAGE + (size_t)f->max * sizeof(struct fakeip_record);
	f->mapping = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	if (f->mapping == MAP_FAILED) {
		f->mapping = NULL;
		return errno;
	}
	madvise(f->mapping, f->size, MADV_DONTDUMP);
	f->records = (struct fakeip_record *)((uint8_t *)f->mapping + PAGE);
	fakeip_rebuild(f, now_ms);
	while (f->common->count && !f->records[f->common->count - 1].len)
		f->common->count--;
	return 0;
}

/* ---- life ---- */

static int open_file(struct fakeip *f, const struct fakeip_options *o, const char *path, enum fakeip_found *found)
{
	int err = 0;

	f->fd = open_locked(path);
	if (f->fd < 0)
		return -f->fd;
	*found = judge(f, o, f->fd);
	if (*found == FAKEIP_FOREIGN)
		err = set_aside(&f->fd, path);
	if (!err && *found != FAKEIP_KEPT)
		err = write_head(f, f->fd);
	return err;
}

struct fakeip *fakeip_open(const struct fakeip_options *o, const char *path, uint64_t now_ms, enum fakeip_found *found, int *err)
{
	struct fakeip *f = strlen(path) < PATH_MAX_LEN ? fakeip_make(o) : NULL;

	*err = f ? open_file(f, o, path, found) : ENOMEM;
	if (!*err)
		*err = map_records(f, now_ms);
	if (!*err)
		return f;
	fakeip_free(f);
	return NULL;
}

int fakeip_descriptor(const struct fakeip *f)
{
	return f ? f->fd : -1;
}

void fakeip_free(struct fakeip *f)
{
	if (!f)
		return;
	if (f->mapping)
		shared_unmap(f->mapping, f->size);
	if (f->common)
		shared_unmap(f->common, f->common_size);
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}
