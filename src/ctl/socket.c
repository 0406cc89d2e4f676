/* The files of control sockets; see socket.h. */
#include "ctl/socket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "sys/state_dir.h"

#define BACKLOG 64
#define PLACES 4
#define PLACE_TMP 3 /* the one that nobody cleans */
#define NAMES_MAX 16 /* tries for a free name: other PID namespaces may use our number */

/* ---- one path ---- */

static int fill(struct sockaddr_un *a, const char *path)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(a->sun_path))
		return -ENAMETOOLONG;
	strcpy(a->sun_path, path);
	return 0;
}

static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

int ctl_socket_connect(const char *path)
{
	struct sockaddr_un a;
	int fd = fill(&a, path), err = 0;

	if (!fd)
		fd = new_socket();
	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static bool is_socket(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* A socket at which nobody listens. */
static bool is_stale(const char *path)
{
	int fd = is_socket(path) ? ctl_socket_connect(path) : -ENOTSOCK;

	if (fd >= 0)
		close(fd);
	return fd == -ECONNREFUSED;
}

/* ---- directories ---- */

/* The i-th place in which this user's sockets may stand; NULL: none of that kind. */
static const char *place_at(int i, char *buf, size_t size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	unsigned uid = geteuid();
	int n = -1;

	if (i == 0)
		n = snprintf(buf, size, SYS_RUN_DIR);
	else if (i == 1 && runtime && *runtime == '/')
		n = snprintf(buf, size, "%s/gatun", runtime);
	else if (i == 2)
		n = snprintf(buf, size, "/run/user/%u/gatun", uid);
	else if (i == PLACE_TMP)
		n = snprintf(buf, size, "/tmp/gatun-%u", uid);
	return n > 0 && (size_t)n < size ? buf : NULL;
}

/* A directory in which nobody but its owner can change anything; whose: uid, or anybody's. */
static bool is_private(const char *dir, bool anybody, uid_t uid)
{
	struct stat st;

	return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && (anybody || st.st_uid == uid) && !(st.st_mode & 022);
}

/* In root's we may listen as well: who may not write there finds out. */
static bool may_listen_in(const char *dir)
{
	return is_private(dir, false, geteuid()) || is_private(dir, false, 0);
}

/* May what stands there be believed? Root believes the service to which somebody who may
 * write to /run has given SYS_RUN_DIR. */
static bool is_trusted(const char *dir)
{
	return is_private(dir, geteuid() == 0 && strcmp(dir, SYS_RUN_DIR) == 0, geteuid());
}

/* ---- listening ---- */

/* Nobody but us may connect, from the first moment on. */
static int listen_at(const char *path)
{
	struct sockaddr_un a;
	int fd = fill(&a, path), err = 0;
	mode_t mask;

	if (!fd)
		fd = new_socket();
	if (fd < 0)
		return fd;
	unlink(path);
	mask = umask(0177);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		err = -errno;
	umask(mask);
	if (!err && listen(fd, BACKLOG) < 0)
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* To a name that is free or stale. -EEXIST: it is neither. */
static int move(const char *from, const char *to)
{
	if (is_stale(to))
		unlink(to);
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* A file system that knows no such rename. */
	if (access(to, F_OK) == 0)
		return -EEXIST;
	return rename(from, to) < 0 ? -errno : 0;
}

/* Makes the socket beside its place, then puts it there. */
static int open_as(struct ctl_socket *s, const char *dir, const char *path)
{
	char hidden[CTL_PATH_MAX];
	struct stat st;
	int err = 0;

	if (strlen(path) >= sizeof(s->path) ||
	    snprintf(hidden, sizeof(hidden), "%s/.gatun.%ld", dir, (long)getpid()) >= (int)sizeof(hidden))
		return -ENAMETOOLONG;
	s->fd = listen_at(hidden);
	if (s->fd < 0)
		return s->fd;
	if (lstat(hidden, &st) < 0)
		err = -errno;
	if (!err)
		err = move(hidden, path);
	if (err) {
		unlink(hidden);
		close(s->fd);
		s->fd = -1;
		return err;
	}
	strcpy(s->path, path);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

static int open_given(struct ctl_socket *s, const char *path)
{
	char dir[CTL_PATH_MAX];
	const char *slash = strrchr(path, '/');
	int n = snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	int err;

	if (n >= (int)sizeof(dir))
		return -ENAMETOOLONG;
	err = open_as(s, n || !slash ? dir : "/", path);
	return err == -EEXIST ? -EADDRINUSE : err;
}

static int open_once(struct ctl_socket *s, const char *dir)
{
	char path[CTL_PATH_MAX];
	int err = -EEXIST;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (!may_listen_in(dir))
		return -EPERM;
	for (int i = 0; i < NAMES_MAX && err == -EEXIST; i++) {
		int n = i ? snprintf(path, sizeof(path), "%s/%ld-%d.sock", dir, (long)getpid(), i) :
			    snprintf(path, sizeof(path), "%s/%ld.sock", dir, (long)getpid());

		err = n < (int)sizeof(path) ? open_as(s, dir, path) : -ENAMETOOLONG;
	}
	return err;
}

static int open_in(struct ctl_socket *s, const char *dir)
{
	int err = open_once(s, dir);

	/* Whoever ended at this moment has taken the empty directory away. */
	return err == -ENOENT ? open_once(s, dir) : err;
}

static void ignore(void *owner, const char *path)
{
	(void)owner, (void)path;
}

int ctl_socket_open(struct ctl_socket *s, const char *path)
{
	char dir[CTL_PATH_MAX];
	int err = -ENOENT;

	s->fd = -1;
	s->in_tmp = false;
	if (path)
		return open_given(s, path);
	ctl_socket_find(ignore, NULL); /* for what it removes */
	for (int i = 0; i < PLACES && err; i++) {
		if (place_at(i, dir, sizeof(dir)))
			err = open_in(s, dir);
		s->in_tmp = !err && i == PLACE_TMP;
	}
	return err;
}

void ctl_socket_close(struct ctl_socket *s)
{
	struct stat st;

	if (s->fd < 0)
		return;
	if (lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(s->path);
	close(s->fd);
	s->fd = -1;
	if (!s->in_tmp)
		return;
	*strrchr(s->path, '/') = 0;
	rmdir(s->path); /* the last one out; with others in it, it stays */
}

/* ---- finding ---- */

static int is_name(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".sock") == 0;
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
	long x = strtol((*a)->d_name, NULL, 10), y = strtol((*b)->d_name, NULL, 10);

	return x != y ? (x > y) - (x < y) : strcmp((*a)->d_name, (*b)->d_name);
}

static bool offer(const char *dir, const char *name, void (*found)(void *owner, const char *path), void *owner)
{
	char path[CTL_PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) || !is_socket(path))
		return false;
	if (is_stale(path)) {
		unlink(path);
		return false;
	}
	found(owner, path);
	return true;
}

static int find_in(const char *dir, void (*found)(void *owner, const char *path), void *owner)
{
	struct dirent **names;
	int n = is_trusted(dir) ? scandir(dir, &names, is_name, by_number) : 0, count = 0;

	if (n <= 0)
		return 0;
	for (int i = 0; i < n; i++) {
		count += offer(dir, names[i]->d_name, found, owner);
		free(names[i]);
	}
	free(names);
	return count;
}

int ctl_socket_find(void (*found)(void *owner, const char *path), void *owner)
{
	char dirs[PLACES][CTL_PATH_MAX];
	int n = 0;

	for (int i = 0; i < PLACES; i++) {
		bool seen = !place_at(i, dirs[i], sizeof(dirs[i]));

		if (seen)
			dirs[i][0] = 0;
		for (int j = 0; j < i; j++)
			seen |= strcmp(dirs[i], dirs[j]) == 0; /* $XDG_RUNTIME_DIR is /run/user/UID */
		if (!seen)
			n += find_in(dirs[i], found, owner);
	}
	return n;
}
