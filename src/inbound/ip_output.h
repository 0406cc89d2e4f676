/* IP packets towards the app that may be longer than the MTU: written whole, or
 * as fragments with their checksum done (nobody else can finish it then). */
#ifndef GATUN_INBOUND_IP_OUTPUT_H
#define GATUN_INBOUND_IP_OUTPUT_H

#include "inbound/tun.h"

/* Sends `header` (the transport header) and `payload` from src to dst. sum_at:
 * where in the transport header its checksum stands; it is filled in here.
 * proto decides the pseudo header (ICMP over IPv4 has none). 0; -EMSGSIZE: more
 * than an IP packet holds; else the error of tun_write(). */
int ip_output(struct tun *, const struct addr *src, const struct addr *dst, uint8_t proto,
	      uint8_t *header, uint32_t header_len, uint32_t sum_at, const uint8_t *payload, uint32_t len);

#endif
