/*
 * Puts fragmented IP datagrams of a TUN back together, IPv4 and IPv6, within
 * limits that an attacker cannot stretch (reassembly.c says which), and hands
 * them to tun_inject() as ordinary packets.
 */
#ifndef GATUN_INBOUND_REASSEMBLY_H
#define GATUN_INBOUND_REASSEMBLY_H

#include "inbound/tun.h"

struct reassembly;
/* NULL: out of memory. */
struct reassembly *reassembly_new(struct tun *);
void reassembly_free(struct reassembly *);
/* The tun handler for fragments. Borrows the packet. */
void reassembly_input(struct reassembly *, const struct packet *);

struct reassembly_counters {
	uint64_t fragments, datagrams, timeouts, overlaps, limit, malformed;
	uint32_t active; /* now */
};
const struct reassembly_counters *reassembly_counters(const struct reassembly *);

#endif
