/*
 * `gatun down`: takes back what a `gatun up` of this network namespace made, and
 * what one that was killed left behind. One that runs is asked to end first, as
 * Ctrl-C would; who it is, the gate's state says.
 *
 * Exit codes: 0 nothing is up any more, also where nothing was; 1 something stays.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/args.h"
#include "ctl/socket.h"
#include "gate/gate.h"
#include "sys/caps.h"

#define PATIENCE_MS 15000

/* Ends the owner of the gate. The descriptor is taken before it is asked again who that is: so it
 * is no other process that got its number meanwhile. 0, or -errno. */
static int end_owner(int owner, bool keep_guard)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, owner, 0), .events = POLLIN };
	int again, err = 0;
	char why[512];

	if (p.fd < 0)
		return errno == ESRCH ? 0 : -errno;
	if (gate_down(keep_guard, &again, why, sizeof(why)) == -EBUSY && again == owner) {
		if (syscall(SYS_pidfd_send_signal, p.fd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
			err = -errno;
		else if (poll(&p, 1, PATIENCE_MS) == 0)
			err = -ETIMEDOUT;
	}
	close(p.fd);
	return err;
}

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "gatun down: %s%s%s\n", what, *why ? ": " : "", why);
	return 1;
}

static void nothing_to_do(void *owner, const char *path)
{
	(void)owner, (void)path;
}

static int take_down(bool keep_guard)
{
	char why[512] = "", what[128];
	int owner = 0, first = 0, err = gate_down(keep_guard, &owner, why, sizeof(why));

	if (err == -EBUSY) {
		first = owner;
		err = end_owner(owner, keep_guard);
		if (err) {
			snprintf(what, sizeof(what), "gatun up (pid %d) %s", owner, err == -ETIMEDOUT ? "does not end" : "cannot be asked to end");
			return complain(what, err == -ETIMEDOUT ? "" : err_name(err));
		}
		printf("gatun up (pid %d) has ended\n", first);
		err = gate_down(keep_guard, &owner, why, sizeof(why));
	}
	if (err)
		return complain("not everything could be taken back", why);
	ctl_socket_find(nothing_to_do, NULL); /* those of the dead go */
	if (*why)
		printf("%s%s\n", keep_guard ? "" : "taken back: ", why);
	else if (!first)
		printf("nothing is up\n");
	return 0;
}

int cmd_down(const struct command *self, int argc, char **argv)
{
	if (args_want_help(self, argc, argv))
		return 0;
	if (argc > 2 || (argc == 2 && strcmp(argv[1], "--keep-guard") != 0))
		return help_usage_error(self, "it takes --keep-guard, or nothing");
	if (!sys_caps_has_net_admin())
		return complain("CAP_NET_ADMIN is missing, which changing routes and rules needs; run it as root", "");
	return take_down(argc == 2);
}
