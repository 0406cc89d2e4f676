/*
 * The sandbox, seen from outside: clone, map users, take the TUN's descriptor.
 *
 * One clone() makes all four namespaces at once, so that the child is PID 1 of
 * its own and a direct child of ours: its exit status is ours to wait for, and
 * killing it is killing all. A caller without privileges owns what he made and
 * needs no helper; a caller with CAP_SYS_ADMIN where user namespaces are off
 * gets the other three without them.
 *
 * Users: a privileged caller hands on every uid and gid that he has, so that
 * files look the same inside; anybody else can map only himself.
 *
 * Fail-closed by construction: the TUN is not persistent and its only descriptor
 * is the engine's; the child ends when its end of the control socket says end
 * of file, and by PR_SET_PDEATHSIG besides.
 */
#include "sys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "sys/kernel_file.h"
#include "sys/sandbox_parts.h"

#define EXIT_FAILED 125
#define PLAIN_NAMESPACES (CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID)

void sandbox_default_addresses(struct sandbox_options *o)
{
	static const char *const texts[] = { "192.0.0.1", "192.0.0.2", "fd67:6174:756e::1", "fd67:6174:756e::2" };
	struct addr *const fields[] = { &o->gateway4, &o->self4, &o->gateway6, &o->self6 };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		addr_parse_ip(texts[i], 0, fields[i]);
}

static bool have_cap(cap_value_t which)
{
	cap_flag_value_t value = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	if (!caps)
		return false;
	cap_get_flag(caps, which, CAP_EFFECTIVE, &value);
	cap_free(caps);
	return value == CAP_SET;
}

/* ---- user maps ---- */

/* Every id that we have, onto itself. */
static int copy_map(pid_t child, const char *name)
{
	char path[64], text[4096], ours[2048];
	unsigned long first, outer, count;
	size_t used = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(ours, sizeof(ours), f) && used + 64 < sizeof(text))
		if (sscanf(ours, "%lu %lu %lu", &first, &outer, &count) == 3)
			used += (size_t)snprintf(text + used, 64, "%lu %lu %lu\n", first, first, count);
	fclose(f);
	text[used] = 0;
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)child, name);
	return kernel_file_write(path, text);
}

static enum sandbox_map map_users(pid_t child)
{
	if (!have_cap(CAP_SETUID) || !have_cap(CAP_SETGID))
		return MAP_SELF;
	/* gids first: if a map is refused nothing is half done that MAP_SELF cannot do. */
	if (copy_map(child, "gid_map") || copy_map(child, "uid_map"))
		return MAP_SELF;
	return MAP_FULL;
}

/* ---- the child ---- */

static pid_t clone_child(unsigned long flags)
{
#if defined(__s390x__)
	return (pid_t)syscall(SYS_clone, NULL, flags | SIGCHLD, NULL, NULL, 0);
#else
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, 0);
#endif
}

/* Returns the pid (0 inside), or -errno with a sentence. */
static pid_t start_child(bool *user_namespace, char *err, size_t err_size)
{
	pid_t pid = clone_child(CLONE_NEWUSER | PLAIN_NAMESPACES);
	int why = pid < 0 ? -errno : 0;

	*user_namespace = true;
	if (pid < 0 && have_cap(CAP_SYS_ADMIN) && have_cap(CAP_NET_ADMIN)) {
		*user_namespace = false;
		pid = clone_child(PLAIN_NAMESPACES);
	}
	if (pid < 0)
		sandbox_explain_clone(why, err, err_size);
	return pid < 0 ? why : pid;
}

/* ---- the talk ---- */

static int take_fd(struct msghdr *m)
{
	int fd = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len >= CMSG_LEN(sizeof(fd)))
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* Returns the TUN's fd, or -1 with a sentence. */
static int receive_report(int control, struct sandbox *s, char *err, size_t err_size)
{
	struct sandbox_report report = { 0 };
	char rights[CMSG_SPACE(sizeof(int))] __attribute__((aligned(sizeof(size_t))));
	struct iovec iov = { &report, sizeof(report) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = rights, .msg_controllen = sizeof(rights) };
	ssize_t len;

	do
		len = recvmsg(control, &m, MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	if (len != sizeof(report)) {
		snprintf(err, err_size, "the sandbox ended while it was being set up");
		return -1;
	}
	report.text[sizeof(report.text) - 1] = 0;
	s->features = report.features;
	if (!report.ok)
		snprintf(err, err_size, "%s", report.text);
	return report.ok ? take_fd(&m) : -1;
}

static int talk(struct sandbox *s, bool user_namespace, char *err, size_t err_size)
{
	char map = (char)(user_namespace ? map_users(s->child) : MAP_NONE);

	if (send(s->go_fd, &map, 1, MSG_NOSIGNAL) != 1) {
		snprintf(err, err_size, "the sandbox ended while it was being set up");
		return EXIT_FAILED;
	}
	s->tun_fd = receive_report(s->go_fd, s, err, err_size);
	return s->tun_fd < 0 ? EXIT_FAILED : 0;
}

static void abandon(struct sandbox *s)
{
	kill(s->child, SIGKILL);
	while (waitpid(s->child, NULL, 0) < 0 && errno == EINTR)
		;
	close(s->go_fd);
}

int sandbox_start(const struct sandbox_options *o, struct sandbox *s, char *err, size_t err_size)
{
	const struct sandbox_caller caller = { geteuid(), getegid() };
	const struct sigaction wait_for_it = { .sa_handler = SIG_DFL };
	sigset_t all, before;
	bool user_namespace;
	int pair[2], code;

	*s = (struct sandbox){ .tun_fd = -1, .go_fd = -1 };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		snprintf(err, err_size, "cannot make a socket pair err=%s", err_name(errno));
		return EXIT_FAILED;
	}
	/* Blocked across clone: init never runs with a signal of ours half handled. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	/* A caller may ignore it; then no status would ever be kept for us. */
	sigaction(SIGCHLD, &wait_for_it, NULL);
	s->child = start_child(&user_namespace, err, err_size);
	if (s->child == 0) {
		close(pair[0]);
		sandbox_init_main(o, &caller, pair[1]);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(pair[1]);
	s->go_fd = pair[0];
	if (s->child < 0) {
		close(s->go_fd);
		return EXIT_FAILED;
	}
	if (!user_namespace)
		log_info("user namespaces are closed here, the sandbox does without");
	code = talk(s, user_namespace, err, err_size);
	if (code)
		abandon(s);
	return code;
}
