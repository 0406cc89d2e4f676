/*
 * Starting a helper program by vfork; see child.h.
 *
 * vfork, because a fork would for a moment hold copies of our sockets, and the
 * loop relies on nobody else doing so (loop_io_close), and because a process
 * with many flows has many pages to copy. Until exec the child shares our
 * memory: it runs with all signals blocked, so that no handler of ours runs in
 * it, and changes nothing but `err` below.
 */
#include "sys/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/caps.h"

#define USUAL_PATH "/usr/local/bin:/usr/bin:/bin"

/* ---- where it is ---- */

static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : -EACCES;
}

/* "" and "." in $PATH mean the working directory, which is nobody's choice. */
static int find_in_path(const char *name, char *path, size_t size)
{
	const char *at = getenv("PATH");
	int best = -ENOENT;

	for (at = at && *at ? at : USUAL_PATH; *at; at += strspn(at, ":")) {
		size_t len = strcspn(at, ":");
		int n = snprintf(path, size, "%.*s/%s", (int)len, at, name), err;

		if (at[0] == '/' && n > 0 && (size_t)n < size) {
			err = executable(path);
			if (!err)
				return 0;
			if (err == -EACCES)
				best = err;
		}
		at += len;
	}
	return best;
}

int sys_child_find(const char *name, char *path, size_t size)
{
	if (!strchr(name, '/'))
		return *name ? find_in_path(name, path, size) : -ENOENT;
	if ((size_t)snprintf(path, size, "%s", name) >= size)
		return -ENAMETOOLONG;
	return executable(path);
}

/* ---- the child, until exec ---- */

static void default_signals(void)
{
	/* Of the kernel's struct: handler SIG_DFL, no flags, no mask. Past glibc, which keeps
	 * two signals for itself and would leave them ignored if our parent ignored them. */
	static const unsigned long dfl[8];

	for (int sig = 1; sig < NSIG; sig++) /* refused for KILL and STOP, which have no other */
		syscall(SYS_rt_sigaction, sig, dfl, NULL, sizeof(uint64_t));
}

static int take_descriptors(int output)
{
	int null = open("/dev/null", O_RDONLY);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
		return -errno;
	if (syscall(SYS_close_range, 3u, ~0u, 0) == 0)
		return 0;
	for (long fd = 3, most = sysconf(_SC_OPEN_MAX); fd < most; fd++) /* kernels before 5.9 */
		close((int)fd);
	return 0;
}

static int become(const struct sys_child_options *o, pid_t parent, int output)
{
	sigset_t none;
	int err;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		return -ESRCH;
	default_signals();
	err = take_descriptors(output);
	if (!err)
		err = sys_caps_drop_with_helpers(false, o->bind_low);
	if (err)
		return err;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(o->path, o->argv, o->env);
	return -errno;
}

/* ---- the parent ---- */

static pid_t start(const struct sys_child_options *o, int output, int *failed)
{
	sigset_t all, before;
	volatile int err = 0;
	pid_t parent = getpid(), pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = vfork();
	if (pid == 0) {
		err = become(o, parent, output);
		_exit(127);
	}
	if (pid < 0)
		err = -errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	*failed = err;
	return pid;
}

static void close_all(struct sys_child *c)
{
	if (c->pidfd >= 0)
		close(c->pidfd);
	if (c->output >= 0)
		close(c->output);
	c->pidfd = c->output = -1;
	c->pid = 0;
}

int sys_child_start(const struct sys_child_options *o, struct sys_child *c)
{
	int pipes[2], err = 0;

	*c = (struct sys_child){ .pidfd = -1, .output = -1 };
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	c->output = pipes[0];
	c->pid = start(o, pipes[1], &err);
	close(pipes[1]);
	if (c->pid > 0 && !err) {
		c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
		err = c->pidfd < 0 ? -errno : 0;
	}
	if (!err)
		return 0;
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	close_all(c);
	return err;
}

bool sys_child_reap(struct sys_child *c, int *status)
{
	if (c->pid <= 0 || waitpid(c->pid, status, WNOHANG) != c->pid)
		return false;
	close_all(c);
	return true;
}

void sys_child_signal(const struct sys_child *c, int sig)
{
	/* By group: what it started itself goes with it. It leads the group
	 * until it is reaped, so the number cannot be another's. */
	if (c->pid > 0)
		kill(-c->pid, sig);
}

void sys_child_wait(const struct sys_child *c, int ms)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };

	while (c->pidfd >= 0 && poll(&p, 1, ms) < 0 && errno == EINTR)
		;
}
