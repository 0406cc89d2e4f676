/* RLIMIT_NOFILE. "Unlimited" does not exist for it in practice: the kernel caps
 * it at fs.nr_open, and the return value is capped to what fits in 31 bits. */
#include "sys/nofile.h"

#include <sys/resource.h>

static uint32_t clamp(rlim_t n)
{
	return n > INT32_MAX ? INT32_MAX : (uint32_t)n;
}

uint32_t sys_nofile_raise(uint32_t wanted)
{
	struct rlimit now, next;

	if (getrlimit(RLIMIT_NOFILE, &now) < 0)
		return 1024; /* POSIX lets nobody have fewer in practice */
	next.rlim_cur = wanted ? wanted : now.rlim_max;
	next.rlim_max = next.rlim_cur > now.rlim_max ? next.rlim_cur : now.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &next) == 0)
		return clamp(next.rlim_cur);
	next.rlim_cur = next.rlim_max = now.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &next) == 0)
		return clamp(next.rlim_cur);
	return clamp(now.rlim_cur);
}
