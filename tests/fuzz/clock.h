/*
 * Time as the input has it: included by one file of a fuzz target, whose process then has this
 * clock_gettime(). libev's clock and our own go ahead by skipped_ns; the fuzzer's
 * (CLOCK_REALTIME) is left alone.
 */
#ifndef GATUN_TESTS_FUZZ_CLOCK_H
#define GATUN_TESTS_FUZZ_CLOCK_H

#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t skipped_ns;

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t ns;
	long rc = syscall(SYS_clock_gettime, id, ts);

	if (rc == 0 && (id == CLOCK_MONOTONIC || id == CLOCK_BOOTTIME)) {
		ns = ts->tv_nsec + skipped_ns % 1000000000;
		ts->tv_sec += (time_t)(skipped_ns / 1000000000 + ns / 1000000000);
		ts->tv_nsec = (long)(ns % 1000000000);
	}
	return (int)rc;
}

static inline void clock_skip_ms(uint32_t ms)
{
	skipped_ns += (int64_t)ms * 1000000;
}

#endif
