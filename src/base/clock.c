/* The two clocks of clock.h. */
#include "base/clock.h"

#include <time.h>

uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_unix(void)
{
	/* time() and not clock_gettime(): a whole second is all that is asked. */
	return (uint64_t)time(NULL);
}
