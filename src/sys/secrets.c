/*
 * Secrets and the ways a process's memory leaves it: a core file (RLIMIT_CORE),
 * a core pipe, which ignores that limit, ptrace and /proc/PID/mem (both look at
 * the dumpable flag). Both doors are shut; swap is the administrator's.
 */
#include "sys/secrets.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

int sys_secrets_protect(void)
{
	struct rlimit core;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || getrlimit(RLIMIT_CORE, &core) < 0)
		return -errno;
	core.rlim_cur = 0;
	return setrlimit(RLIMIT_CORE, &core) < 0 ? -errno : 0;
}
