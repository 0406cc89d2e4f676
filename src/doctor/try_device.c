/* Trials of namespaces and TUN devices: what `run` and `up` make first. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "doctor/trials.h"
#include "sys/sandbox_parts.h"
#include "sys/steering.h"
#include "sys/tundev.h"

#define QUEUES 2
#define MTU 1400

/* As `run` makes them: one clone, the user namespace where rights are missing. */
static int clone_namespaces(bool user)
{
	unsigned long flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | (user ? CLONE_NEWUSER : 0) | SIGCHLD;
	long pid = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return -errno;
	waitpid((pid_t)pid, NULL, 0);
	return 0;
}

void doctor_try_namespaces(const struct doctor_patient *p, struct doctor_report *r)
{
	char why[DOCTOR_TEXT];
	int err = clone_namespaces(true);

	if (err && p->root)
		err = clone_namespaces(false); /* as `run` does */
	if (!err) {
		doctor_say(r, DOCTOR_OK, 0, NULL, "namespaces for the command of `run`: network, mounts, processes");
		return;
	}
	sandbox_explain_clone(err, why, sizeof(why));
	doctor_say(r, DOCTOR_BAD, DOCTOR_OF_RUN, NULL, "%s", why);
}

static void try_queues(struct doctor_report *r)
{
	struct tun_features features;
	char why[DOCTOR_TEXT];
	int fds[QUEUES], err = tundev_open_queues("doctor1", MTU, QUEUES, fds, &features, why, sizeof(why));

	if (!err) {
		err = steering_attach(fds[0], why, sizeof(why));
		for (int i = 0; i < QUEUES; i++)
			close(fds[i]);
	}
	if (err)
		doctor_say(r, DOCTOR_NOTE, 0, NULL, "`up` has one worker here: %s", why);
	else
		doctor_say(r, DOCTOR_OK, 0, NULL, "several TUN queues, steered by a program: `up --workers N`");
}

void doctor_try_device(const struct doctor_patient *p, struct doctor_report *r)
{
	struct tun_features features;
	char why[DOCTOR_TEXT];
	int fd = tundev_open("doctor0", MTU, &features, why, sizeof(why));

	if (fd < 0) {
		doctor_say(r, DOCTOR_BAD, DOCTOR_OF_RUN | (p->config->up.mode == UP_TUN ? DOCTOR_OF_UP : 0), NULL, "%s", why);
		return;
	}
	close(fd);
	if (!features.vnet_hdr)
		doctor_say(r, DOCTOR_NOTE, 0, NULL, "TUN devices work without offloads: each packet travels alone, at a quarter of the speed");
	else
		doctor_say(r, DOCTOR_OK, 0, NULL, "TUN devices, with checksum and TCP offload%s", features.uso ? ", and UDP's" : "; UDP's needs Linux 6.2");
	try_queues(r);
}
