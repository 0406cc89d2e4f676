/*
 * Going on in the background; see detach.h.
 *
 *	typed ── fork ──► waits: copies messages, passes Ctrl-C on ──► exit 0, or N
 *	           │              ▲ messages      ▲ one byte, or its end
 *	           └──► goes on ──┴───────────────┘
 *
 * The one that waits knows the end by the byte's absence: the pipe closes with
 * the last process that has it, and workers have it not.
 */
#include "sys/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile pid_t child; /* for the handler */

/* ---- the one that waits ---- */

static void pass_on(int sig)
{
	if (child > 0)
		kill(child, sig);
}

static void pass_signals_on(void)
{
	struct sigaction sa = { .sa_handler = pass_on };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

/* False: nothing more will come. */
static bool copy_messages(int fd)
{
	char text[4096];
	ssize_t n = read(fd, text, sizeof(text));

	if (n < 0)
		return errno == EINTR;
	for (ssize_t at = 0, done; at < n; at += done) {
		done = write(STDERR_FILENO, text + at, (size_t)(n - at));
		if (done <= 0)
			break;
	}
	return n > 0;
}

/* True: the byte came. Either pipe may end before the other. */
static bool wait_ready(int ready, int messages)
{
	struct pollfd p[2] = { { .fd = ready, .events = POLLIN }, { .fd = messages, .events = POLLIN } };
	char byte;

	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue; /* a signal, which was passed on */
		if (p[1].revents && !copy_messages(messages))
			p[1].fd = -1;
		else if (!p[1].revents && p[0].revents)
			return read(ready, &byte, 1) == 1;
	}
}

static int code_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int await(pid_t pid, int ready, int messages)
{
	child = pid;
	pass_signals_on();
	return wait_ready(ready, messages) ? 0 : code_of(pid);
}

/* ---- the one that goes on ---- */

static void to_null(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
}

/* Whoever gave us a file wants a log; a terminal or a pipe belongs to who waits. */
static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static void go_on(struct detach *d, int ready, int messages)
{
	setsid();
	to_null(STDIN_FILENO);
	to_null(STDOUT_FILENO);
	d->ready = ready;
	d->messages = !is_file(STDERR_FILENO);
	if (d->messages)
		dup2(messages, STDERR_FILENO);
	close(messages);
	signal(SIGPIPE, SIG_IGN); /* workers write on when nobody reads */
}

static void close_pair(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

bool sys_detach(struct detach *d, int *exit_code, int *err)
{
	int ready[2], messages[2];
	pid_t pid;

	*err = 0;
	d->ready = -1;
	if (pipe2(ready, O_CLOEXEC) < 0) {
		*err = -errno;
		return true;
	}
	if (pipe2(messages, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		*err = -errno; /* the program ends with it: no pipe need be closed */
		return true;
	}
	if (pid == 0) {
		close(ready[0]);
		close(messages[0]);
		go_on(d, ready[1], messages[1]);
		return true;
	}
	close(ready[1]);
	close(messages[1]);
	*exit_code = await(pid, ready[0], messages[0]);
	close_pair((int[]){ ready[0], messages[0] });
	return false;
}

void sys_detach_ready(struct detach *d)
{
	if (d->ready < 0)
		return;
	if (d->messages)
		to_null(STDERR_FILENO);
	while (write(d->ready, "", 1) < 0 && errno == EINTR)
		;
	close(d->ready);
	d->ready = -1;
}
