/*
 * The local-target rule as a table of prefixes. v4-mapped addresses are IPv4
 * already when they come here (addr.h); NAT64 forms are unwrapped first.
 */
#include "outbound/guard.h"

#include <string.h>

struct prefix4 {
	uint8_t ip[4];
	uint8_t bits;
};
struct prefix6 {
	uint8_t ip[16];
	uint8_t bits;
};

static const struct prefix4 local4[] = {
	{ { 0 }, 8 },		       /* this network; 0.0.0.0 is this host */
	{ { 127 }, 8 },		       /* loopback */
	{ { 169, 254 }, 16 },	       /* link-local, and most clouds' metadata */
	{ { 224 }, 4 },		       /* multicast */
	{ { 255, 255, 255, 255 }, 32 }, /* broadcast */
	{ { 100, 100, 100, 200 }, 32 }, /* metadata (Alibaba) */
};

static const struct prefix6 local6[] = {
	{ { 0 }, 127 },			      /* :: and ::1 */
	{ { 0xfe, 0x80 }, 10 },		      /* link-local */
	{ { 0xfe, 0xc0 }, 10 },		      /* site-local, deprecated */
	{ { 0xff }, 8 },		      /* multicast */
	{ { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 }, 128 }, /* metadata (AWS) */
};

static const struct prefix6 embeds4[] = {
	{ { 0x00, 0x64, 0xff, 0x9b }, 96 },	       /* 64:ff9b::/96, NAT64 */
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48 }, /* 64:ff9b:1::/48, local NAT64: judged by its last 32 bits */
	{ { 0 }, 96 },				       /* ::a.b.c.d, deprecated */
};

static bool in_prefix(const uint8_t *ip, const uint8_t *prefix, unsigned bits)
{
	if (memcmp(ip, prefix, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((ip[bits / 8] ^ prefix[bits / 8]) >> (8 - bits % 8)) == 0;
}

static bool local_v4(const uint8_t *ip)
{
	for (size_t i = 0; i < sizeof(local4) / sizeof(local4[0]); i++)
		if (in_prefix(ip, local4[i].ip, local4[i].bits))
			return true;
	return false;
}

bool guard_is_local(const struct addr *a)
{
	const uint8_t *ip = a->ip.bytes;

	if (a->family == AF_INET)
		return local_v4(ip);
	for (size_t i = 0; i < sizeof(local6) / sizeof(local6[0]); i++)
		if (in_prefix(ip, local6[i].ip, local6[i].bits))
			return true;
	for (size_t i = 0; i < sizeof(embeds4) / sizeof(embeds4[0]); i++)
		if (in_prefix(ip, embeds4[i].ip, embeds4[i].bits))
			return local_v4(ip + 12);
	return false;
}
