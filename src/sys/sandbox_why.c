/*
 * Why this machine has no sandbox, in one line that ends with the command that
 * changes it. The kernel answers a refused clone() with ENOSPC or EPERM for
 * half a dozen reasons; which one it was is read from the sysctls that cause
 * them. It decides nothing: it is called when all is lost.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "sys/kernel_file.h"
#include "sys/sandbox_parts.h"

/* The number in a file of /proc/sys, or -1. */
static long read_number(const char *path)
{
	char text[32];

	if (kernel_file_read(path, text, sizeof(text)) <= 0)
		return -1;
	return strtol(text, NULL, 10);
}

static const struct {
	const char *path, *key, *noun;
} limits[] = {
	{ "/proc/sys/user/max_user_namespaces", "user.max_user_namespaces", "user namespaces" },
	{ "/proc/sys/user/max_net_namespaces", "user.max_net_namespaces", "network namespaces" },
	{ "/proc/sys/user/max_mnt_namespaces", "user.max_mnt_namespaces", "mount namespaces" },
	{ "/proc/sys/user/max_pid_namespaces", "user.max_pid_namespaces", "PID namespaces" },
};

static void explain_limit(char *text, size_t size)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (read_number(limits[i].path) != 0)
			continue;
		snprintf(text, size, "%s are off (%s=0); open them with: sudo sysctl -w %s=15000", limits[i].noun,
			 limits[i].key, limits[i].key);
		return;
	}
	snprintf(text, size, "no further namespace may be made (a limit of sysctl user.max_*_namespaces is reached, here or "
		 "outside this container); raise it with: sudo sysctl -w user.max_user_namespaces=15000");
}

static void explain_permission(char *text, size_t size)
{
	if (read_number("/proc/sys/kernel/unprivileged_userns_clone") == 0)
		snprintf(text, size, "user namespaces are closed to plain users (kernel.unprivileged_userns_clone=0); "
			 "open them with: sudo sysctl -w kernel.unprivileged_userns_clone=1");
	else
		snprintf(text, size, "new namespaces are forbidden here, by a container, a chroot or a security policy; "
			 "run it outside, or start the container with: --privileged --device /dev/net/tun");
}

void sandbox_explain_clone(int err, char *text, size_t size)
{
	switch (err) {
	case -ENOSPC:
	case -EUSERS:
		explain_limit(text, size);
		break;
	case -EPERM:
	case -EACCES:
		explain_permission(text, size);
		break;
	case -EINVAL:
	case -ENOSYS:
		snprintf(text, size, "this kernel is built without user, network or PID namespaces; "
			 "look with: zgrep _NS= /proc/config.gz");
		break;
	default:
		snprintf(text, size, "cannot make namespaces err=%s; try again with: -v", err_name(err));
	}
}

void sandbox_explain_denied(int err, const char *step, char *text, size_t size)
{
	if ((err == -EPERM || err == -EACCES) &&
	    read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") > 0)
		snprintf(text, size, "AppArmor takes the rights of user namespaces away "
			 "(kernel.apparmor_restrict_unprivileged_userns=1: cannot %s); "
			 "open them with: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0", step);
	else if (err == -EPERM || err == -EACCES)
		snprintf(text, size, "cannot %s in the new namespace err=%s: a security policy or a container forbids it; "
			 "run it outside, or start the container with: --privileged --device /dev/net/tun", step,
			 err_name(err));
	else
		snprintf(text, size, "cannot %s in the new namespace err=%s", step, err_name(err));
}
