/* The cache file; see online_cache.h. It holds passwords and decides where traffic
 * goes: one that belongs to another user, or that others may write, is not read. */
#include "client/online_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf/online.h"
#include "sys/state_dir.h"

#define HASH_BYTES 16

static const char *absolute(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] == '/' ? value : NULL;
}

static int state_directory(const struct config *c, char *path, size_t size)
{
	const char *xdg = absolute("XDG_STATE_HOME"), *home = absolute("HOME");
	int n;

	if (c->state_dir)
		n = snprintf(path, size, "%s", c->state_dir);
	else if (sys_state_dir(path, size))
		return 0;
	else if (geteuid() == 0)
		n = snprintf(path, size, "/var/lib/gatun");
	else if (xdg)
		n = snprintf(path, size, "%s/gatun", xdg);
	else if (home)
		n = snprintf(path, size, "%s/.local/state/gatun", home);
	else
		return -ENOENT;
	return (size_t)n < size ? 0 : -ENAMETOOLONG;
}

int online_cache_path(const struct config *c, char *path, size_t size)
{
	unsigned char hash[HASH_BYTES];
	char hex[2 * HASH_BYTES + 1], dir[PATH_MAX];
	int err = 0;

	if (c->online_cache)
		return (size_t)snprintf(path, size, "%s", c->online_cache) < size ? 0 : -ENAMETOOLONG;
	err = state_directory(c, dir, sizeof(dir));
	if (err)
		return err;
	crypto_generichash(hash, sizeof(hash), (const unsigned char *)c->online_url, strlen(c->online_url), NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	return (size_t)snprintf(path, size, "%s/online-%s.json", dir, hex) < size ? 0 : -ENAMETOOLONG;
}

/* ---- reading ---- */

static int check_owner(int fd, struct stat *st)
{
	if (fstat(fd, st) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode) || (st->st_uid != geteuid() && st->st_uid != 0) || (st->st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	return st->st_size > (off_t)ONLINE_BYTES_MAX ? -EFBIG : 0;
}

static ssize_t read_whole(int fd, char *text, size_t size)
{
	size_t at = 0;
	ssize_t n;

	while (at < size && (n = read(fd, text + at, size - at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += (size_t)n;
	}
	return (ssize_t)at;
}

ssize_t online_cache_read(const char *path, char **text, long *age_s)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	ssize_t n = fd < 0 ? -errno : check_owner(fd, &st);

	*text = NULL;
	if (n == 0) {
		*text = malloc((size_t)st.st_size + 1);
		n = *text ? read_whole(fd, *text, (size_t)st.st_size) : -ENOMEM;
	}
	if (fd >= 0)
		close(fd);
	if (n < 0) {
		free(*text);
		*text = NULL;
		return n;
	}
	*age_s = (long)(time(NULL) - st.st_mtime);
	return n;
}

/* ---- writing ---- */

/* The directory of `path` and those above it, ours alone where they are new. */
static void make_directories(const char *path)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s", path);
	for (char *at = strchr(dir + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = 0;
		mkdir(dir, 0700);
		*at = '/';
	}
}

static int write_whole(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int online_cache_write(const char *path, const char *text, size_t len)
{
	char fresh[PATH_MAX];
	int fd, err = 0;

	if ((size_t)snprintf(fresh, sizeof(fresh), "%s.XXXXXX", path) >= sizeof(fresh))
		return -ENAMETOOLONG;
	make_directories(path);
	fd = mkostemp(fresh, O_CLOEXEC); /* with mode 0600 */
	if (fd < 0)
		return -errno;
	err = write_whole(fd, text, len);
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && rename(fresh, path) < 0)
		err = -errno;
	if (err)
		unlink(fresh);
	return err;
}
