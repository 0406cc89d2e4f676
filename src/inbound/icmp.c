/*
 * ICMP and ICMPv6 of the gateway (icmp.h says what the app may rely on).
 *
 * Errors quote the offending packet as it came, as much as fits 576 bytes
 * (IPv4, RFC 1812) or 1280 (IPv6). Their words and their limit: icmp_error.c.
 */
#include "inbound/icmp.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "inbound/icmp_error.h"
#include "inbound/ip_output.h"
#include "inbound/packet.h"

#define OWN_MAX 8
#define HEADER ICMP_ERROR_HEADER
#define QUOTE_IP4 (576u - 20 - HEADER)
#define QUOTE_IP6 (1280u - 40 - HEADER)

static struct addr own[OWN_MAX];
static int n_own;

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
	icmp_counters.echo_replies++;
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
		icmp_counters.ignored++;
}

/* ---- errors ---- */

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

void icmp_send_unreachable(struct tun *t, const struct packet *p, enum icmp_reason why, uint16_t mtu)
{
	uint32_t quote = p->version == 4 ? QUOTE_IP4 : QUOTE_IP6;
	uint8_t header[HEADER];

	if (!deserves_error(p) || !icmp_error_allowed())
		return;
	icmp_error_put(header, p->version, why, mtu);
	if (quote > p->ip.len)
		quote = p->ip.len;
	ip_output(t, &p->dst, &p->src, p->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, header, HEADER, 2, slice_data(&p->ip), quote);
}

void icmp_send_about(struct tun *t, const struct addr *from, const struct addr *to, enum icmp_reason why)
{
	uint8_t header[HEADER], quote[PACKET_IP6_HEADER + PACKET_UDP_HEADER];

	if (!packet_is_unicast(to) || !icmp_error_allowed())
		return;
	icmp_error_put(header, from->family == AF_INET ? 4 : 6, why, 0);
	ip_output(t, to, from, from->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6, header, HEADER, 2, quote,
		  packet_build_udp(quote, from, to, 0));
}
