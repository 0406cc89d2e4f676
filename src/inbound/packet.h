/*
 * IP packets as bytes: parsing, checksums, building. No device, no clock, no
 * allocation. tun.c parses every packet that arrives with this, once; whoever
 * makes packets (stack, tun_udp, icmp) builds their headers with it.
 */
#ifndef GATUN_INBOUND_PACKET_H
#define GATUN_INBOUND_PACKET_H

#include <stdint.h>

#include "inbound/tun.h"

#define PACKET_IP4_HEADER 20u
#define PACKET_IP6_HEADER 40u
#define PACKET_UDP_HEADER 8u
#define PACKET_TCP_HEADER 20u

/* Fills *p from `ip`, which starts with the IP header; bytes behind the
 * packet's own length are cut off. Ports are filled, and the transport header
 * checked to fit, for TCP, UDP, ICMP and ICMPv6 that are no fragments.
 * gso_size and l4_csum_ok are left 0: they are the device's knowledge.
 * Returns 0; -EBADMSG: malformed; -EPROTONOSUPPORT: well-formed, and of no
 * protocol that we carry (or an IPv6 packet without one). */
int packet_parse(struct packet *p, struct slice ip);

static inline uint8_t *packet_l4(const struct packet *p) { return slice_data(&p->ip) + p->l4; }
static inline uint32_t packet_l4_len(const struct packet *p) { return p->ip.len - p->l4; }

/* Verifies the transport checksum of an unfragmented TCP, UDP, ICMP or ICMPv6 packet. */
bool packet_checksum_ok(const struct packet *p);

/* Is it the address of one host? (not of a group, a network, or nobody) */
bool packet_is_unicast(const struct addr *);
/* Is either address one that a unicast flow cannot have? (multicast,
 * broadcast, unspecified, a loopback source that came from a link) */
bool packet_not_unicast(const struct packet *p);

/* ---- checksums (RFC 1071), as sums in host order of big-endian words ---- */
/* Adds `len` bytes, which start at an even offset of what is summed. */
uint64_t packet_sum(const void *data, size_t len, uint64_t sum);
/* The pseudo header: addresses, protocol, and the length of the transport part. */
uint64_t packet_pseudo_sum(const struct addr *src, const struct addr *dst, uint8_t proto, uint32_t l4_len);
/* To 16 bits, as they stand in memory (network order). Complement it for a
 * checksum field; as it is it is what NEEDS_CSUM wants there. */
uint16_t packet_fold(uint64_t sum);

/* Writes an IPv4 (20 bytes) or IPv6 (40) header as src->family says, checksum
 * included, and returns its size. l4_len: bytes behind it. dont_fragment sets
 * DF (and identification 0). out holds PACKET_IP6_HEADER. */
uint32_t packet_build_ip(uint8_t *out, const struct addr *src, const struct addr *dst, uint8_t proto, uint32_t l4_len,
			 uint8_t hop_limit, bool dont_fragment);
/* As above with a UDP header behind it (its checksum field holds the pseudo
 * sum, for tun_write(..., csum true)). out holds PACKET_IP6_HEADER + PACKET_UDP_HEADER. */
uint32_t packet_build_udp(uint8_t *out, const struct addr *src, const struct addr *dst, uint32_t payload_len);

static inline uint16_t packet_get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t packet_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void packet_put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
static inline void packet_put32(uint8_t *p, uint32_t v)
{
	packet_put16(p, v >> 16);
	packet_put16(p + 2, v);
}

#endif
