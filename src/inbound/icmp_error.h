/*
 * The words of ICMP and ICMPv6 errors, whoever sends them: by a TUN as packets
 * (icmp.c), by TPROXY through a raw socket (foreign_icmp.c). One limit for all
 * that a process sends: some thousands a second, so that a flood of refused
 * packets does not become a flood of ours; the kernel that hears them has limits
 * of its own. No device and no socket here.
 */
#ifndef GATUN_INBOUND_ICMP_ERROR_H
#define GATUN_INBOUND_ICMP_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "io/flow_end.h"

#define ICMP_ERROR_HEADER 8u

enum icmp_reason {
	ICMP_PORT_UNREACHABLE,
	ICMP_HOST_UNREACHABLE,
	ICMP_NET_UNREACHABLE,
	ICMP_ADMIN_PROHIBITED,
	ICMP_TOO_BIG, /* fragmentation needed, packet too big */
};

/* What an app is told of a datagram whose flow ended so. */
enum icmp_reason icmp_error_reason(enum flow_end);
/* The first bytes of the error, checksum 0; what it is about follows. mtu is used by ICMP_TOO_BIG alone. */
void icmp_error_put(uint8_t out[ICMP_ERROR_HEADER], int version, enum icmp_reason, uint16_t mtu);
/* May one be sent now? It is counted either way. */
bool icmp_error_allowed(void);

struct icmp_counters {
	uint64_t echo_replies, errors_sent, errors_held, ignored;
};
extern struct icmp_counters icmp_counters;

#endif
