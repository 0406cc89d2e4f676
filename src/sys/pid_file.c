/*
 * The pid file; see pid_file.h.
 *
 * It is made under another name and renamed, so that what stood there, a
 * symbolic link too, is replaced and not written to. A program that runs as a
 * user of its own makes it while it still has the rights, and gives it to root:
 * a number that root will send a signal to is not for the service to choose.
 * Then it may not take it away again, only empty it by the descriptor it kept.
 */
#include "sys/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX 32

/* ---- whose it is ---- */

static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

static bool is_program_of_ours(pid_t pid)
{
	char path[64], theirs[TEXT_MAX], ours[TEXT_MAX];

	snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
	return read_text(path, theirs, sizeof(theirs)) && read_text("/proc/self/comm", ours, sizeof(ours)) &&
	       strcmp(theirs, ours) == 0;
}

pid_t sys_pid_file_owner(const char *path)
{
	char text[TEXT_MAX], *end;
	long pid;

	if (!read_text(path, text, sizeof(text)))
		return 0;
	pid = strtol(text, &end, 10);
	if (pid <= 1 || (*end && *end != '\n') || pid == getpid())
		return 0;
	return is_program_of_ours((pid_t)pid) ? (pid_t)pid : 0;
}

/* ---- ours ---- */

static int split(struct pid_file *f, const char *path)
{
	char *copy = strdup(path), *again = strdup(path);
	int err = copy && again ? 0 : -ENOMEM;

	if (!err) {
		f->dir = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (f->dir < 0)
			err = -errno;
		f->name = strdup(basename(again));
		if (!f->name)
			err = -ENOMEM;
	}
	free(copy);
	free(again);
	return err;
}

static int fill(int fd)
{
	char text[TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (write(fd, text, (size_t)n) != n)
		return errno ? -errno : -EIO;
	if (fchown(fd, 0, 0) < 0 && errno != EPERM && errno != EINVAL)
		return -errno;
	return fchmod(fd, 0644) < 0 ? -errno : 0;
}

static int make(struct pid_file *f)
{
	char hidden[64];
	int err;

	snprintf(hidden, sizeof(hidden), ".gatun.pid.%ld", (long)getpid());
	unlinkat(f->dir, hidden, 0);
	f->fd = openat(f->dir, hidden, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return -errno;
	err = fill(f->fd);
	if (!err && renameat(f->dir, hidden, f->dir, f->name) < 0)
		err = -errno;
	if (err)
		unlinkat(f->dir, hidden, 0);
	return err;
}

static void forget(struct pid_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->dir >= 0)
		close(f->dir);
	free(f->name);
	*f = (struct pid_file){ .dir = -1, .fd = -1 };
}

int sys_pid_file_write(struct pid_file *f, const char *path)
{
	int err;

	*f = (struct pid_file){ .dir = -1, .fd = -1 };
	err = split(f, path);
	if (!err)
		err = make(f);
	if (err)
		forget(f);
	return err;
}

static bool is_still_ours(const struct pid_file *f)
{
	struct stat there, ours;

	return fstatat(f->dir, f->name, &there, AT_SYMLINK_NOFOLLOW) == 0 && fstat(f->fd, &ours) == 0 &&
	       there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
}

void sys_pid_file_remove(struct pid_file *f)
{
	if (!f->name)
		return;
	if (is_still_ours(f) && unlinkat(f->dir, f->name, 0) < 0 && ftruncate(f->fd, 0) < 0)
		(void)errno; /* nothing more can be done; who reads it finds a number that is nobody's */
	forget(f);
}
