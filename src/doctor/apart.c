/*
 * A trial apart: a child with a network and a mount namespace of its own (and a
 * user namespace, where the caller has no rights over others), so that whatever
 * it makes ends with it. Findings come back over a pipe, one by one, as they are.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "doctor/trials.h"
#include "sys/kernel_file.h"

#define TRIAL_MS 20000
#define NOT_BEGUN 100 /* exit codes from here on: -errno */

static int map_self(uid_t uid, gid_t gid)
{
	char text[64];
	int err;

	snprintf(text, sizeof(text), "0 %u 1", (unsigned)uid);
	err = kernel_file_write("/proc/self/uid_map", text);
	if (!err)
		err = kernel_file_write("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "0 %u 1", (unsigned)gid);
	return err ? err : kernel_file_write("/proc/self/gid_map", text);
}

static int go_apart(const struct doctor_patient *p)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int err;

	if (unshare(CLONE_NEWNS | CLONE_NEWNET | (p->root ? 0 : CLONE_NEWUSER)) < 0)
		return -errno;
	err = p->root ? 0 : map_self(uid, gid);
	/* A /run of its own: the state of a gate that is tried is nobody's business. */
	if (!err && (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("trial", "/run", "tmpfs", 0, "mode=0755") < 0))
		err = -errno;
	return err;
}

_Noreturn static void be_trial(const struct doctor_patient *p, doctor_trial *trial, int to)
{
	struct doctor_report found = { .n = 0 };
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	err = go_apart(p);
	if (err)
		_exit(NOT_BEGUN - err > 255 ? 255 : NOT_BEGUN - err);
	trial(p, &found);
	for (int i = 0; i < found.n; i++)
		if (write(to, &found.items[i], sizeof(found.items[i])) != sizeof(found.items[i]))
			_exit(1);
	_exit(0);
}

static bool read_finding(int from, struct doctor_finding *f, uint64_t until)
{
	uint8_t *at = (uint8_t *)f;
	size_t have = 0;

	while (have < sizeof(*f)) {
		struct pollfd ready = { .fd = from, .events = POLLIN };
		uint64_t now = clock_ms();
		ssize_t n;

		if (now >= until || poll(&ready, 1, (int)(until - now)) <= 0)
			return false;
		n = read(from, at + have, sizeof(*f) - have);
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

int doctor_try_apart(const struct doctor_patient *p, doctor_trial *trial, struct doctor_report *r)
{
	struct doctor_finding f;
	uint64_t until = clock_ms() + TRIAL_MS;
	int ends[2], status = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		be_trial(p, trial, ends[1]);
	}
	close(ends[1]);
	while (pid > 0 && read_finding(ends[0], &f, until))
		doctor_say(r, f.word, f.victims, f.mend, "%s", f.text);
	close(ends[0]);
	if (pid < 0)
		return -EAGAIN;
	kill(pid, SIGKILL); /* it has said all, or has had its time */
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		return -ETIMEDOUT;
	return WEXITSTATUS(status) > NOT_BEGUN ? NOT_BEGUN - WEXITSTATUS(status) : 0;
}
