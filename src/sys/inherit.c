/*
 * The caller's gifts to the command. A descriptor counts as inherited if it is
 * open without close-on-exec when sys_inherit_take() runs: nothing with that
 * flag can have come through our own exec.
 *
 * What is closed: a socket keeps the network namespace it was made in, so an
 * IP socket that survives into the sandbox is a hole in it. AF_UNIX sockets
 * have no such way out of themselves, and programs live on them (the session
 * bus, a language server's pipe), so they stay.
 */
#include "sys/inherit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"

#define TUN_RDEV makedev(10, 200)

static bool inheritable(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC);
}

static int list_fds(struct inherit *in)
{
	DIR *dir = opendir("/proc/self/fd");
	uint32_t room = 0;
	struct dirent *e;

	if (!dir)
		return -errno;
	while ((e = readdir(dir))) {
		int fd = atoi(e->d_name);
		if (fd <= STDERR_FILENO || fd == dirfd(dir) || !inheritable(fd))
			continue;
		if (array_reserve(&in->fds, &room, in->n_fds + 1, sizeof(*in->fds)) < 0) {
			closedir(dir);
			return -ENOMEM;
		}
		in->fds[in->n_fds++] = fd;
	}
	closedir(dir);
	return 0;
}

static void list_ignored(sigset_t *set)
{
	struct sigaction sa;

	sigemptyset(set);
	for (int sig = 1; sig < NSIG; sig++)
		if (sigaction(sig, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
			sigaddset(set, sig);
}

static bool owns_terminal(void)
{
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	bool owns = tty >= 0 && tcgetpgrp(tty) == getpgrp();

	if (tty >= 0)
		close(tty);
	return owns;
}

/* open() takes the lowest free number, so the gaps fill from below. */
static void fill_gaps(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int sys_inherit_take(struct inherit *in)
{
	int err;

	fill_gaps();
	memset(in, 0, sizeof(*in));
	if (sigprocmask(SIG_SETMASK, NULL, &in->mask) < 0 || getrlimit(RLIMIT_CORE, &in->core) < 0 ||
	    getrlimit(RLIMIT_NOFILE, &in->nofile) < 0)
		return -errno;
	list_ignored(&in->ignored);
	in->foreground = owns_terminal();
	err = list_fds(in);
	if (err)
		sys_inherit_free(in);
	return err;
}

void sys_inherit_free(struct inherit *in)
{
	free(in->fds);
	in->fds = NULL;
	in->n_fds = 0;
}

void sys_inherit_restore(const struct inherit *in)
{
	struct sigaction sa = { 0 };

	for (int sig = 1; sig < NSIG; sig++) {
		sa.sa_handler = sigismember(&in->ignored, sig) == 1 ? SIG_IGN : SIG_DFL;
		sigaction(sig, &sa, NULL); /* SIGKILL, SIGSTOP and libc's own refuse, and need nothing */
	}
	setrlimit(RLIMIT_CORE, &in->core);
	setrlimit(RLIMIT_NOFILE, &in->nofile);
	sigprocmask(SIG_SETMASK, &in->mask, NULL);
}

/* What a socket is called in the line that says it was closed; NULL for one that stays. */
static const char *socket_name(int domain, int type)
{
	switch (domain) {
	case AF_UNIX:
		return NULL;
	case AF_INET:
		return type == SOCK_STREAM ? "IPv4 TCP" : type == SOCK_DGRAM ? "IPv4 UDP" : "IPv4 raw";
	case AF_INET6:
		return type == SOCK_STREAM ? "IPv6 TCP" : type == SOCK_DGRAM ? "IPv6 UDP" : "IPv6 raw";
	case AF_PACKET:
		return "packet";
	case AF_NETLINK:
		return "netlink";
	case AF_VSOCK:
		return "vsock";
	default:
		return "network";
	}
}

static bool is_io_uring(int fd)
{
	char path[40], target[32];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, target, sizeof(target));
	return len == 21 && memcmp(target, "anon_inode:[io_uring]", 21) == 0;
}

/* NULL: it may stay. */
static const char *way_out(int fd)
{
	int domain, type = 0;
	socklen_t len = sizeof(domain);
	struct stat st;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0) {
		len = sizeof(type);
		getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
		return socket_name(domain, type);
	}
	if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == TUN_RDEV)
		return "TUN device";
	return is_io_uring(fd) ? "io_uring" : NULL;
}

int sys_inherit_close_network(struct inherit *in, char *text, size_t size)
{
	size_t used = 0, kept = 0;
	int closed = 0;

	text[0] = 0;
	for (size_t i = 0; i < in->n_fds; i++) {
		const char *name = way_out(in->fds[i]);
		if (!name) {
			in->fds[kept++] = in->fds[i];
			continue;
		}
		close(in->fds[i]);
		closed++;
		int n = snprintf(text + used, size - used, "%s%d (%s)", used ? ", " : "", in->fds[i], name);
		if (n > 0 && (size_t)n < size - used)
			used += (size_t)n;
	}
	in->n_fds = kept;
	return closed;
}

void sys_inherit_let_go(const struct inherit *in)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < in->n_fds; i++)
		close(in->fds[i]);
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (null > STDERR_FILENO)
		close(null);
}
