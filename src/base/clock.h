/* Time. Ages use CLOCK_BOOTTIME, so that a suspended laptop's flows have aged
 * when it wakes; codecs never read a clock, they are handed one. */
#ifndef GATUN_BASE_CLOCK_H
#define GATUN_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_BOOTTIME. */
uint64_t clock_ms(void);
/* Seconds since 1970 (CLOCK_REALTIME), for SIP022 headers and log lines. */
uint64_t clock_unix(void);

#endif
