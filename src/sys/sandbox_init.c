/*
 * PID 1 of a sandbox. It sets up what sandbox_net.c and sandbox_mounts.c say,
 * hands the TUN out, waits for the byte that means "go", starts the command
 * and then does what an init must: reap, pass signals on, end.
 *
 * It ends, and the kernel ends every process of the namespace with it,
 * - when the command ends, with the command's status (128+N for a signal);
 * - when the control socket says end of file: the engine is gone, and a
 *   command without its only way out is not to go on waiting for it.
 *
 * It was forked from a process that holds keys: it is never dumpable once the
 * command exists, so that nobody inside can read it, and it keeps no
 * descriptor but its own two. It runs with all signals blocked and reads them
 * from a signalfd, so that those of the terminal, which the command gets too,
 * have no effect here.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "sys/caps.h"
#include "sys/kernel_file.h"
#include "sys/sandbox_parts.h"

#define EXIT_FAILED 125
#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND 127
#define EXIT_BY_SIGNAL 128

/* ---- set-up ---- */

/* One id onto itself: all that a plain user may map. setgroups must go first
 * (user_namespaces(7)). */
static int map_self(const struct sandbox_caller *caller)
{
	char text[48];
	int err;

	snprintf(text, sizeof(text), "%u %u 1\n", (unsigned)caller->uid, (unsigned)caller->uid);
	err = kernel_file_write("/proc/self/uid_map", text);
	if (err)
		return err;
	err = kernel_file_write("/proc/self/setgroups", "deny");
	if (err && err != -ENOENT)
		return err;
	snprintf(text, sizeof(text), "%u %u 1\n", (unsigned)caller->gid, (unsigned)caller->gid);
	return kernel_file_write("/proc/self/gid_map", text);
}

static int await_map(const struct sandbox_caller *caller, int control, char *text, size_t size)
{
	char map = 0;
	int err = 0;

	if (recv(control, &map, 1, 0) != 1)
		_exit(EXIT_FAILED);
	if (map == MAP_SELF)
		err = map_self(caller);
	/* Without a user namespace of its own, a program with file capabilities
	 * would get the host's. In one they are worth nothing outside. */
	if (map == MAP_NONE && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		err = -errno;
	if (err == -EPERM && caller->uid == 0)
		snprintf(text, size, "root without capabilities (CAP_SETFCAP) cannot have a user namespace; "
			 "run it as a plain user: setpriv --reuid nobody --regid nogroup --clear-groups gatun run ...");
	else if (err)
		sandbox_explain_denied(err, "map the user", text, size);
	return err;
}

static int set_up(const struct sandbox_options *o, const struct sandbox_caller *caller, int control,
		  struct sandbox_report *report, int *tun_fd)
{
	int err = await_map(caller, control, report->text, sizeof(report->text));

	if (!err)
		err = sandbox_open_network(o, &report->features, tun_fd, report->text, sizeof(report->text));
	if (!err)
		err = sandbox_set_mounts(o, report->text, sizeof(report->text));
	if (err)
		return err;
	err = sys_caps_drop_for_command();
	if (err)
		sandbox_explain_denied(err, "drop capabilities", report->text, sizeof(report->text));
	return err;
}

static void send_report(int control, const struct sandbox_report *report, int tun_fd)
{
	char rights[CMSG_SPACE(sizeof(int))] __attribute__((aligned(sizeof(size_t)))) = { 0 };
	struct iovec iov = { (void *)report, sizeof(*report) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (report->ok) {
		m.msg_control = rights;
		m.msg_controllen = sizeof(rights);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &tun_fd, sizeof(int));
	}
	if (sendmsg(control, &m, MSG_NOSIGNAL) != (ssize_t)sizeof(*report))
		_exit(EXIT_FAILED);
}

static void close_network(struct inherit *inherited)
{
	char text[256];

	if (sys_inherit_close_network(inherited, text, sizeof(text)))
		log_warn("closed inherited descriptors that lead past the tunnel fds=\"%s\"", text);
}

/* ---- the command ---- */

/* execvp says EACCES as soon as one directory of $PATH is closed, be the command
 * there or not. What cannot be seen anywhere is not found. */
static bool in_path(const char *name)
{
	const char *at = getenv("PATH");
	char candidate[PATH_MAX];

	while (at && *at) {
		size_t len = strcspn(at, ":");
		int n = snprintf(candidate, sizeof(candidate), "%.*s/%s", (int)len, at, name);
		if (n > 0 && (size_t)n < sizeof(candidate) && access(candidate, F_OK) == 0)
			return true;
		at += len + (at[len] == ':');
	}
	return false;
}

static bool not_found(const char *name, int err)
{
	return err == ENOENT || (err == EACCES && !strchr(name, '/') && !in_path(name));
}

static void exec_command(const struct sandbox_options *o) __attribute__((noreturn));
static void exec_command(const struct sandbox_options *o)
{
	const char *name = o->argv[0];
	char shown[256];
	int err;

	sys_inherit_restore(o->inherited);
	execvp(name, o->argv);
	err = errno;
	log_escape(name, strlen(name), shown, sizeof(shown));
	if (not_found(name, err)) {
		log_error("cannot execute %s: no such command", shown);
		_exit(EXIT_NOT_FOUND);
	}
	log_error("cannot execute %s: %s", shown, strerror(err));
	_exit(EXIT_CANNOT_EXECUTE);
}

static int exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_BY_SIGNAL + WTERMSIG(status);
}

/* Reaps whoever has ended. Does not return if that was the command. */
static void reap(pid_t command, int control)
{
	const char stopped = SANDBOX_STOPPED;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != command)
			continue;
		if (WIFSTOPPED(status))
			send(control, &stopped, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		else
			_exit(exit_code(status));
	}
}

static void on_signal(const struct signalfd_siginfo *info, pid_t command, int control)
{
	if (info->ssi_signo == SIGCHLD)
		reap(command, control);
	/* Only what gatun passes on. The terminal's signals and those to our
	 * process group have reached the command by themselves. */
	else if (info->ssi_code == SI_QUEUE && info->ssi_pid == 0 && info->ssi_int == SANDBOX_SIGNAL)
		kill(command, (int)info->ssi_signo);
}

static void serve(pid_t command, int signals, int control) __attribute__((noreturn));
static void serve(pid_t command, int signals, int control)
{
	struct pollfd p[2] = { { .fd = signals, .events = POLLIN }, { .fd = control, .events = POLLIN } };
	struct signalfd_siginfo info;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			_exit(EXIT_FAILED);
		if (p[1].revents)
			_exit(EXIT_FAILED);
		while (p[0].revents && read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
			on_signal(&info, command, control);
	}
}

/* What init holds on to, it would keep from ending: a pipe, a file system. */
static void let_go(const struct inherit *inherited)
{
	sys_inherit_let_go(inherited);
	dup2(STDOUT_FILENO, STDERR_FILENO);
	if (chdir("/") < 0)
		_exit(EXIT_FAILED);
}

static void run_command(const struct sandbox_options *o, int control) __attribute__((noreturn));
static void run_command(const struct sandbox_options *o, int control)
{
	sigset_t all;
	int signals;
	pid_t command;

	sigfillset(&all);
	signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		_exit(EXIT_FAILED);
	command = fork();
	if (command == 0)
		exec_command(o);
	if (command < 0) {
		log_error("cannot start the command err=%s", err_name(errno));
		_exit(EXIT_FAILED);
	}
	let_go(o->inherited);
	serve(command, signals, control);
}

void sandbox_init_main(const struct sandbox_options *o, const struct sandbox_caller *caller, int control)
{
	struct sandbox_report report = { 0 };
	int tun_fd = -1;
	char go;

	prctl(PR_SET_NAME, "gatun-init", 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* For /proc/self/uid_map, which belongs to root while we are not dumpable. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	report.ok = set_up(o, caller, control, &report, &tun_fd) == 0;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	close_network(o->inherited);
	send_report(control, &report, tun_fd);
	if (!report.ok)
		_exit(EXIT_FAILED);
	close(tun_fd);
	if (recv(control, &go, 1, 0) != 1)
		_exit(EXIT_FAILED);
	run_command(o, control);
}
