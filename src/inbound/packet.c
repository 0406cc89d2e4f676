/*
 * IP packets as bytes.
 *
 * Everything here works on what strangers send: a length is compared before
 * the bytes behind it are read, and a header that lies about its length makes
 * the packet malformed. What passes packet_parse() may be read up to ip.len
 * without another check: the IP header, the extension headers, and the whole
 * transport header are there.
 *
 * An IPv6 packet with v4-mapped addresses is malformed (they must not appear
 * on a link, and struct addr could not tell them from IPv4). Of extension
 * headers hop-by-hop, routing with nothing left to visit, destination options
 * and fragment are walked, at most EXT_MAX; others carry nothing of ours.
 */
#include "inbound/packet.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define EXT_MAX 8

#define IP4_MF 0x2000u
#define IP4_DF 0x4000u
#define IP4_OFFSET 0x1fffu

/* ---- checksums ---- */

uint64_t packet_sum(const void *data, size_t len, uint64_t sum)
{
	const uint8_t *p = data;
	uint64_t carry = 0;

	/* Words are added as they stand in memory; a checksum does not mind the
	 * byte order as long as it is one (RFC 1071, section 2 (B)). */
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t w;

		memcpy(&w, p, 8);
		sum += w;
		carry += sum < w;
	}
	for (; len >= 2; p += 2, len -= 2) {
		uint16_t w;

		memcpy(&w, p, 2);
		sum += w;
		carry += sum < w;
	}
	if (len) {
		uint16_t w = 0;

		memcpy(&w, p, 1);
		sum += w;
		carry += sum < w;
	}
	/* 2^64 is 1 modulo 2^16 - 1. */
	sum += carry;
	return sum + (sum < carry);
}

uint16_t packet_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

uint64_t packet_pseudo_sum(const struct addr *src, const struct addr *dst, uint8_t proto, uint32_t l4_len)
{
	uint8_t tail[8] = { 0 };
	uint64_t sum;

	packet_put32(tail, l4_len);
	tail[7] = proto;
	sum = packet_sum(tail, sizeof(tail), 0);
	sum = packet_sum(src->ip.bytes, addr_ip_len(src), sum);
	return packet_sum(dst->ip.bytes, addr_ip_len(dst), sum);
}

bool packet_checksum_ok(const struct packet *p)
{
	const uint8_t *l4 = packet_l4(p);
	uint32_t len = packet_l4_len(p);
	uint64_t sum = 0;

	if (p->proto == IPPROTO_UDP) {
		if (!l4[6] && !l4[7])
			return p->version == 4; /* RFC 8200, 8.1: not optional in IPv6 */
		len = packet_get16(l4 + 4);
	}
	if (p->proto != IPPROTO_ICMP)
		sum = packet_pseudo_sum(&p->src, &p->dst, p->proto, len);
	return packet_fold(packet_sum(l4, len, sum)) == 0xffff;
}

/* ---- parsing ---- */

/* The transport header: all of it within the packet. */
static int parse_l4(struct packet *p)
{
	const uint8_t *l4 = packet_l4(p);
	uint32_t len = packet_l4_len(p);

	switch (p->proto) {
	case IPPROTO_TCP:
		if (len < PACKET_TCP_HEADER || (l4[12] >> 4) < 5 || (uint32_t)(l4[12] >> 4) * 4 > len)
			return -EBADMSG;
		break;
	case IPPROTO_UDP:
		if (len < PACKET_UDP_HEADER || packet_get16(l4 + 4) < PACKET_UDP_HEADER || packet_get16(l4 + 4) > len)
			return -EBADMSG;
		break;
	case IPPROTO_ICMP:
		return p->version == 4 && len >= 8 ? 0 : -EBADMSG;
	case IPPROTO_ICMPV6:
		return p->version == 6 && len >= 8 ? 0 : -EBADMSG;
	default:
		return -EPROTONOSUPPORT;
	}
	p->src.port = packet_get16(l4);
	p->dst.port = packet_get16(l4 + 2);
	return 0;
}

static int parse_ip4(struct packet *p)
{
	const uint8_t *h = slice_data(&p->ip);
	uint32_t header, total, frag;

	if (p->ip.len < PACKET_IP4_HEADER)
		return -EBADMSG;
	header = (uint32_t)(h[0] & 15) * 4;
	total = packet_get16(h + 2);
	if (header < PACKET_IP4_HEADER || total < header || total > p->ip.len)
		return -EBADMSG;
	if (packet_fold(packet_sum(h, header, 0)) != 0xffff)
		return -EBADMSG;
	frag = packet_get16(h + 6);
	p->version = 4;
	p->ip.len = total;
	p->l4 = header;
	p->proto = h[9];
	p->hop_limit = h[8];
	p->dont_fragment = frag & IP4_DF;
	p->src = addr_v4(h + 12, 0);
	p->dst = addr_v4(h + 16, 0);
	if (!(frag & (IP4_MF | IP4_OFFSET)))
		return parse_l4(p);
	p->fragment = true;
	p->more_frags = frag & IP4_MF;
	p->frag_off = (uint16_t)((frag & IP4_OFFSET) * 8);
	p->frag_id = packet_get16(h + 4);
	return total > header ? 0 : -EBADMSG;
}

static bool is_mapped(const uint8_t *ip6)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(ip6, prefix, sizeof(prefix)) == 0;
}

/* Reads one fragment header. True: it is a real fragment. */
static bool parse_frag6(struct packet *p, const uint8_t *ext)
{
	uint32_t word = packet_get16(ext + 2);

	p->frag_off = word & 0xfff8;
	p->more_frags = word & 1;
	p->frag_id = packet_get32(ext + 4);
	p->fragment = p->frag_off || p->more_frags;
	return p->fragment; /* else an atomic fragment (RFC 6946): whole as it is */
}

/* Walks extension headers from p->l4 on. 0: p->proto and p->l4 are the
 * transport's, or the fragment's. */
static int walk_ext(struct packet *p, uint8_t next)
{
	for (int i = 0; i < EXT_MAX; i++) {
		const uint8_t *ext = packet_l4(p);
		uint32_t left = packet_l4_len(p), len;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_FRAGMENT && next != IPPROTO_DSTOPTS) {
			p->proto = next;
			return 0;
		}
		len = left < 8 ? 8 : next == IPPROTO_FRAGMENT ? 8 : ((uint32_t)ext[1] + 1) * 8;
		if (len > left || (next == IPPROTO_HOPOPTS && i > 0) || (next == IPPROTO_ROUTING && ext[3] != 0))
			return -EBADMSG;
		p->l4 += len;
		p->proto = ext[0];
		if (next == IPPROTO_FRAGMENT && parse_frag6(p, ext))
			return p->l4 < p->ip.len ? 0 : -EBADMSG;
		next = ext[0];
	}
	return -EBADMSG;
}

static int parse_ip6(struct packet *p)
{
	const uint8_t *h = slice_data(&p->ip);
	uint32_t payload;
	int err;

	if (p->ip.len < PACKET_IP6_HEADER)
		return -EBADMSG;
	payload = packet_get16(h + 4);
	if (payload > p->ip.len - PACKET_IP6_HEADER || is_mapped(h + 8) || is_mapped(h + 24))
		return -EBADMSG;
	p->version = 6;
	p->ip.len = PACKET_IP6_HEADER + payload;
	p->l4 = PACKET_IP6_HEADER;
	p->hop_limit = h[7];
	p->dont_fragment = true;
	p->src = addr_v6(h + 8, 0);
	p->dst = addr_v6(h + 24, 0);
	err = walk_ext(p, h[6]);
	if (err || p->fragment)
		return err;
	return parse_l4(p);
}

int packet_parse(struct packet *p, struct slice ip)
{
	memset(p, 0, sizeof(*p));
	p->ip = ip;
	if (!ip.len)
		return -EBADMSG;
	switch (*slice_data(&ip) >> 4) {
	case 4:
		return parse_ip4(p);
	case 6:
		return parse_ip6(p);
	default:
		return -EBADMSG;
	}
}

static bool is_zero(const struct addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->ip.bytes, zero, addr_ip_len(a)) == 0;
}

static bool is_group(const struct addr *a)
{
	if (a->family == AF_INET6)
		return a->ip.bytes[0] == 0xff;
	return a->ip.bytes[0] >= 224; /* multicast, reserved, broadcast */
}

bool packet_is_unicast(const struct addr *a)
{
	return !is_zero(a) && !is_group(a);
}

bool packet_not_unicast(const struct packet *p)
{
	return !packet_is_unicast(&p->src) || !packet_is_unicast(&p->dst);
}

/* ---- building ---- */

static uint32_t build_ip4(uint8_t *out, const struct addr *src, const struct addr *dst, uint8_t proto, uint32_t l4_len,
			  uint8_t hop_limit, bool dont_fragment)
{
	uint16_t sum;

	memset(out, 0, PACKET_IP4_HEADER);
	out[0] = 0x45;
	packet_put16(out + 2, PACKET_IP4_HEADER + l4_len);
	packet_put16(out + 6, dont_fragment ? IP4_DF : 0);
	out[8] = hop_limit;
	out[9] = proto;
	memcpy(out + 12, src->ip.bytes, 4);
	memcpy(out + 16, dst->ip.bytes, 4);
	sum = (uint16_t)~packet_fold(packet_sum(out, PACKET_IP4_HEADER, 0));
	memcpy(out + 10, &sum, 2);
	return PACKET_IP4_HEADER;
}

uint32_t packet_build_ip(uint8_t *out, const struct addr *src, const struct addr *dst, uint8_t proto, uint32_t l4_len,
			 uint8_t hop_limit, bool dont_fragment)
{
	if (src->family == AF_INET)
		return build_ip4(out, src, dst, proto, l4_len, hop_limit, dont_fragment);
	packet_put32(out, 0x60000000);
	packet_put16(out + 4, l4_len);
	out[6] = proto;
	out[7] = hop_limit;
	memcpy(out + 8, src->ip.bytes, 16);
	memcpy(out + 24, dst->ip.bytes, 16);
	return PACKET_IP6_HEADER;
}

uint32_t packet_build_udp(uint8_t *out, const struct addr *src, const struct addr *dst, uint32_t payload_len)
{
	uint32_t l4_len = PACKET_UDP_HEADER + payload_len;
	uint32_t ip_len = packet_build_ip(out, src, dst, IPPROTO_UDP, l4_len, 64, false);
	uint16_t pseudo = packet_fold(packet_pseudo_sum(src, dst, IPPROTO_UDP, l4_len));
	uint8_t *udp = out + ip_len;

	packet_put16(udp, src->port);
	packet_put16(udp + 2, dst->port);
	packet_put16(udp + 4, l4_len);
	memcpy(udp + 6, &pseudo, 2);
	return ip_len + PACKET_UDP_HEADER;
}
