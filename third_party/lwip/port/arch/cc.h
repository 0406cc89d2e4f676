/* The compiler and the C library, for lwIP. A failed assertion is logged by
 * inbound/stack_port.c; it stops the process only in debug builds, because an
 * assertion that the wire can reach must not cost more than its flow. */
#ifndef GATUN_LWIP_ARCH_CC_H
#define GATUN_LWIP_ARCH_CC_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void lwip_assert_failed(const char *message, const char *file, int line);
unsigned lwip_random(void);

#define LWIP_PLATFORM_DIAG(x) \
	do { \
	} while (0)
#define LWIP_PLATFORM_ASSERT(x) lwip_assert_failed(x, __FILE__, __LINE__)
#define LWIP_RAND() lwip_random()
#define LWIP_NO_CTYPE_H 0

#endif
