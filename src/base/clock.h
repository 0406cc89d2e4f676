/* Time. Ages use CLOCK_BOOTTIME, so that a suspended laptop's flows have aged
 * when it wakes; codecs never read a clock, they are handed one. */
#ifndef GATUN_BASE_CLOCK_H
#define GATUN_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds of CLOCK_BOOTTIME. */
uint64_t clock_ms(void);
/* Seconds since 1970 (CLOCK_REALTIME), for SIP022 headers and log lines. */
uint64_t clock_unix(void);

/* How far another machine's clock is ahead of ours, as last measured. */
struct clock_skew {
	bool known;
	int64_t seconds;
};
static inline void clock_skew_measure(struct clock_skew *s, uint64_t theirs_unix)
{
	s->known = true;
	s->seconds = (int64_t)(theirs_unix - clock_unix());
}

#endif
