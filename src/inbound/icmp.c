/*
 * ICMP and ICMPv6 of the gateway (icmp.h says what the app may rely on).
 *
 * Errors quote the offending packet as it came, as much as fits 576 bytes
 * (IPv4, RFC 1812) or 1280 (IPv6). A token bucket holds them back at some
 * thousands a second, so that a flood of refused packets does not become a
 * flood of ours; the kernel that hears them has limits of its own.
 */
#include "inbound/icmp.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "inbound/ip_output.h"
#include "inbound/packet.h"
#include "loop/loop.h"

#define OWN_MAX 8
#define HEADER 8u
#define QUOTE_IP4 (576u - 20 - HEADER)
#define QUOTE_IP6 (1280u - 40 - HEADER)
#define RATE_PER_MS 4
#define BURST 1000

static struct addr own[OWN_MAX];
static int n_own;
static struct icmp_counters counters;

const struct icmp_counters *icmp_counters(void)
{
	return &counters;
}

static bool is_own(const struct addr *a)
{
	for (int i = 0; i < n_own; i++)
		if (addr_ip_equal(&own[i], a))
			return true;
	return false;
}

int icmp_own_address(const struct addr *a)
{
	if (is_own(a))
		return 0;
	if (n_own == OWN_MAX)
		return -ENOSPC;
	own[n_own++] = *a;
	return 0;
}

/* ---- echo ---- */

static bool is_request(const struct packet *p)
{
	const uint8_t *l4 = packet_l4(p);
	uint8_t request = p->version == 4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;

	return packet_l4_len(p) >= HEADER && l4[0] == request && l4[1] == 0 && !packet_not_unicast(p) &&
	       (p->l4_csum_ok || packet_checksum_ok(p));
}

static void reply(struct tun *t, const struct packet *p)
{
	const uint8_t *l4 = packet_l4(p);
	uint8_t header[HEADER];

	memcpy(header, l4, HEADER);
	header[0] = p->version == 4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
	counters.echo_replies++;
	ip_output(t, &p->dst, &p->src, p->proto, header, HEADER, 2, l4 + HEADER, packet_l4_len(p) - HEADER);
}

void icmp_input(struct tun *t, const struct packet *p, enum icmp_others others)
{
	bool request = is_request(p);

	if (request && (others == ICMP_OTHERS_REPLY || is_own(&p->dst)))
		reply(t, p);
	else if (request && others == ICMP_OTHERS_REFUSE)
		icmp_send_unreachable(t, p, ICMP_ADMIN_PROHIBITED, 0);
	else
		counters.ignored++;
}

/* ---- errors ---- */

static bool may_send_now(void)
{
	static uint64_t last_ms;
	static uint32_t tokens = BURST;
	uint64_t now = loop_now(), earned = (now - last_ms) * RATE_PER_MS;

	if (now != last_ms) {
		tokens = earned + tokens > BURST ? BURST : tokens + (uint32_t)earned;
		last_ms = now;
	}
	if (!tokens) {
		counters.errors_held++;
		return false;
	}
	tokens--;
	return true;
}

/* RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e). */
static bool deserves_error(const struct packet *p)
{
	const uint8_t *l4 = packet_l4(p);

	if (packet_not_unicast(p) || (p->fragment && p->frag_off))
		return false;
	if (p->proto == IPPROTO_ICMP)
		return packet_l4_len(p) > 0 && l4[0] == ICMP_ECHO;
	if (p->proto == IPPROTO_ICMPV6)
		return packet_l4_len(p) > 0 && l4[0] >= 128;
	return true;
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

void icmp_send_unreachable(struct tun *t, const struct packet *p, enum icmp_reason why, uint16_t mtu)
{
	struct type_code tc = type_code_for(p->version, why);
	uint32_t quote = p->version == 4 ? QUOTE_IP4 : QUOTE_IP6;
	uint8_t header[HEADER] = { tc.type, tc.code };

	if (!deserves_error(p) || !may_send_now())
		return;
	/* IPv4 has 16 bits for the MTU, the last two; IPv6 all 32. */
	if (why == ICMP_TOO_BIG)
		packet_put16(header + 6, mtu);
	if (quote > p->ip.len)
		quote = p->ip.len;
	counters.errors_sent++;
	ip_output(t, &p->dst, &p->src, p->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, header, HEADER, 2, slice_data(&p->ip), quote);
}
