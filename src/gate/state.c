/*
 * What must outlive a kill: which sysctls were changed and what they were, and
 * who did it. One file for each network namespace, named by its inode, written
 * to a second one and renamed: it is whole or not there. Routes, rules and
 * nft tables are not in it; they carry their sign themselves.
 *
 * The owner is a process id with its start time, so that a number that was given
 * to somebody else after a crash is not believed. A file beside it is locked while
 * something is changed, so that of two that start at once one waits and then sees
 * the other. Not the directory: everybody may open that, and what anybody may open he
 * may lock, and keep.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "gate/parts.h"
#include "sys/state_dir.h"

#define DIR_PATH SYS_RUN_DIR
#define LOCK_NAME "up.lock"

static void state_path(char path[64], const char *suffix)
{
	struct stat st = { 0 };

	stat("/proc/self/ns/net", &st);
	snprintf(path, 64, DIR_PATH "/up-%ju.json%s", (uintmax_t)st.st_ino, suffix);
}

static int open_dir(char *err, size_t size)
{
	struct stat st;
	int fd;

	if (mkdir(DIR_PATH, 0755) < 0 && errno != EEXIST) {
		int result = -errno;
		snprintf(err, size, "cannot make the directory " DIR_PATH " err=%s", err_name(result));
		return result;
	}
	fd = open(DIR_PATH, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* A service's own user may own it: whoever could make it in /run was root, or was let by him. */
	if (fd < 0 || fstat(fd, &st) < 0 || (st.st_uid != 0 && st.st_uid != geteuid() && geteuid() != 0) ||
	    (st.st_mode & 022)) {
		int result = fd < 0 ? -errno : -EPERM;
		if (fd >= 0)
			close(fd);
		snprintf(err, size, DIR_PATH " must be a directory that only its owner, root, writes to err=%s",
			 err_name(result));
		return result;
	}
	return fd;
}

/* Is the file that was locked still the one that others will find? Whoever had it has removed it. */
static bool is_lock_of_now(int dir, int fd)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && fstatat(dir, LOCK_NAME, &there, AT_SYMLINK_NOFOLLOW) == 0 && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}

/* Where nothing can be written any more a lock can be had only if somebody has made the file before. */
static int open_lock(int dir)
{
	int fd = openat(dir, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EROFS) {
		fd = openat(dir, LOCK_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			return -EROFS;
	}
	return fd < 0 ? -errno : fd;
}

static int lock_file(int dir)
{
	for (;;) {
		int fd = open_lock(dir), result;

		if (fd < 0)
			return fd;
		while ((result = flock(fd, LOCK_EX)) < 0 && errno == EINTR)
			;
		if (result == 0 && is_lock_of_now(dir, fd))
			return fd;
		result = result < 0 ? -errno : 0;
		close(fd);
		if (result)
			return result;
	}
}

int gate_state_lock(char *err, size_t size)
{
	int dir = open_dir(err, size), fd;

	if (dir == -EROFS) { /* nor is there anything in it */
		fd = open("/", O_PATH | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	if (dir < 0)
		return dir;
	fd = lock_file(dir);
	/* Given to another service meanwhile: the network is followed all the same. Read-only: nobody can make
	 * a lock, and what stands must be taken back all the same. */
	if (fd == -EACCES || fd == -EROFS)
		return dir;
	close(dir);
	if (fd < 0)
		snprintf(err, size, "cannot lock " DIR_PATH "/" LOCK_NAME " err=%s", err_name(fd));
	return fd;
}

void gate_state_unlock(int lock)
{
	unlink(DIR_PATH "/" LOCK_NAME);
	close(lock);
}

/* Reads /proc/PID/stat: its state letter, 0 for nobody, and when it started (field 22). The name
 * before both may hold anything, spaces and brackets, too. */
static char look_at(int pid, uint64_t *start)
{
	char path[32], text[1024], *at, letter;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	at = strrchr(text, ')');
	if (!at || strlen(at) < 3)
		return 0;
	letter = at[2];
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	*start = at ? strtoull(at, NULL, 10) : 0;
	return letter;
}

int gate_state_owner(const struct gate_state *s)
{
	uint64_t start = 0;
	char letter;

	if (!s->there || s->pid <= 0 || s->pid == getpid())
		return 0;
	letter = look_at(s->pid, &start);
	return letter && letter != 'Z' && letter != 'X' && start == s->start ? s->pid : 0;
}

void gate_state_own(struct gate_state *s)
{
	s->there = true;
	s->pid = getpid();
	look_at(s->pid, &s->start);
}

static bool is_sane_path(const char *path)
{
	return strncmp(path, "net/", 4) == 0 && !strstr(path, "..") && strlen(path) < sizeof(((struct sysctl *)0)->path);
}

static int read_sysctls(struct sysctl_list *l, const json_t *array)
{
	size_t i;
	json_t *one;

	l->at = calloc(json_array_size(array) + 1, sizeof(*l->at));
	if (!l->at)
		return -ENOMEM;
	l->room = (int)json_array_size(array) + 1;
	json_array_foreach(array, i, one) {
		const char *path = json_string_value(json_object_get(one, "path"));
		const char *old = json_string_value(json_object_get(one, "old"));
		const char *set = json_string_value(json_object_get(one, "set"));
		struct sysctl *s = &l->at[l->n];
		if (!path || !old || !set || !is_sane_path(path))
			continue;
		snprintf(s->path, sizeof(s->path), "%s", path);
		snprintf(s->old, sizeof(s->old), "%s", old);
		snprintf(s->set, sizeof(s->set), "%s", set);
		l->n++;
	}
	return 0;
}

int gate_state_read(struct gate_state *s, char *err, size_t size)
{
	char path[64];
	json_error_t problem;
	json_t *doc;
	int result, fd;

	memset(s, 0, sizeof(*s));
	state_path(path, "");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return 0;
	doc = fd < 0 ? NULL : json_loadfd(fd, JSON_REJECT_DUPLICATES, &problem);
	result = fd < 0 ? -errno : -EINVAL;
	if (fd >= 0)
		close(fd);
	if (!doc) {
		snprintf(err, size, "cannot read %s err=%s; what it held of sysctls is lost: remove it, then gatun down", path,
			 err_name(result));
		return result;
	}
	s->there = true;
	s->pid = (int)json_integer_value(json_object_get(doc, "pid"));
	s->start = (uint64_t)json_integer_value(json_object_get(doc, "start"));
	result = read_sysctls(&s->sysctls, json_object_get(doc, "sysctls"));
	json_decref(doc);
	return result;
}

static json_t *document(const struct gate_state *s)
{
	json_t *sysctls = json_array();

	for (int i = 0; i < s->sysctls.n; i++) {
		const struct sysctl *one = &s->sysctls.at[i];
		json_array_append_new(sysctls, json_pack("{ss ss ss}", "path", one->path, "old", one->old, "set", one->set));
	}
	return json_pack("{si si sI so}", "version", 1, "pid", s->pid, "start", (json_int_t)s->start, "sysctls", sysctls);
}

int gate_state_write(const struct gate_state *s, char *err, size_t size)
{
	char path[64], fresh[64];
	json_t *doc = document(s);
	int fd, result = 0;

	state_path(path, "");
	state_path(fresh, ".new");
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		result = -errno;
	else if (!doc || json_dumpfd(doc, fd, JSON_INDENT(1)) < 0)
		result = -EIO;
	if (fd >= 0)
		close(fd);
	if (!result && rename(fresh, path) < 0)
		result = -errno;
	if (result) {
		unlink(fresh);
		snprintf(err, size, "cannot write %s err=%s", path, err_name(result));
	}
	json_decref(doc);
	return result;
}

void gate_state_remove(void)
{
	char path[64];

	state_path(path, "");
	if (unlink(path) < 0 && errno != ENOENT && !(errno == EROFS && access(path, F_OK) < 0))
		log_warn("everything is taken back, but the file %s, which remembers it, cannot be removed: the next `gatun down` that may "
			 "write there does it err=%s", path, err_name(errno));
}

void gate_state_free(struct gate_state *s)
{
	free(s->sysctls.at);
	memset(s, 0, sizeof(*s));
}
