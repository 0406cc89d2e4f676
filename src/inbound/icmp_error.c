/* See icmp_error.h. The limit is a token bucket; a flow's end is told as the native network would. */
#include "inbound/icmp_error.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "inbound/packet.h"
#include "loop/loop.h"

#define RATE_PER_MS 4
#define BURST 1000

struct icmp_counters icmp_counters;

enum icmp_reason icmp_error_reason(enum flow_end why)
{
	switch (why) {
	case END_NET_UNREACHABLE:
		return ICMP_NET_UNREACHABLE;
	case END_UNREACHABLE:
	case END_CONNECT_TIMEOUT:
		return ICMP_HOST_UNREACHABLE;
	case END_DENIED:
		return ICMP_ADMIN_PROHIBITED;
	default:
		return ICMP_PORT_UNREACHABLE;
	}
}

struct type_code {
	uint8_t type, code;
};

static struct type_code type_code_for(uint8_t version, enum icmp_reason why)
{
	static const struct type_code v4[] = {
		[ICMP_PORT_UNREACHABLE] = { ICMP_DEST_UNREACH, ICMP_PORT_UNREACH },
		[ICMP_HOST_UNREACHABLE] = { ICMP_DEST_UNREACH, ICMP_HOST_UNREACH },
		[ICMP_NET_UNREACHABLE] = { ICMP_DEST_UNREACH, ICMP_NET_UNREACH },
		[ICMP_ADMIN_PROHIBITED] = { ICMP_DEST_UNREACH, ICMP_PKT_FILTERED },
		[ICMP_TOO_BIG] = { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED },
	};
	static const struct type_code v6[] = {
		[ICMP_PORT_UNREACHABLE] = { ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT },
		[ICMP_HOST_UNREACHABLE] = { ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADDR },
		[ICMP_NET_UNREACHABLE] = { ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOROUTE },
		[ICMP_ADMIN_PROHIBITED] = { ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADMIN },
		[ICMP_TOO_BIG] = { ICMP6_PACKET_TOO_BIG, 0 },
	};

	return version == 4 ? v4[why] : v6[why];
}

void icmp_error_put(uint8_t out[ICMP_ERROR_HEADER], int version, enum icmp_reason why, uint16_t mtu)
{
	struct type_code tc = type_code_for((uint8_t)version, why);

	memset(out, 0, ICMP_ERROR_HEADER);
	out[0] = tc.type;
	out[1] = tc.code;
	/* IPv4 has 16 bits for the MTU, the last two; IPv6 all 32. */
	if (why == ICMP_TOO_BIG)
		packet_put16(out + 6, mtu);
}

bool icmp_error_allowed(void)
{
	static uint64_t last_ms;
	static uint32_t tokens = BURST;
	uint64_t now = loop_now(), earned = (now - last_ms) * RATE_PER_MS;

	if (now != last_ms) {
		tokens = earned + tokens > BURST ? BURST : tokens + (uint32_t)earned;
		last_ms = now;
	}
	if (!tokens) {
		icmp_counters.errors_held++;
		return false;
	}
	tokens--;
	icmp_counters.errors_sent++;
	return true;
}
