/* How many descriptors this process may hold. */
#ifndef GATUN_SYS_NOFILE_H
#define GATUN_SYS_NOFILE_H

#include <stdint.h>

/*
 * Raises RLIMIT_NOFILE to `wanted`, or to the hard limit if wanted is 0. Root
 * may pass the hard limit, others get as far as it goes. In `run` it is called
 * after sandbox_start, so that the command keeps the user's own limit (a soft
 * limit above 1024 breaks programs that use select).
 * Returns the limit that now holds; it never fails.
 */
uint32_t sys_nofile_raise(uint32_t wanted);

#endif
