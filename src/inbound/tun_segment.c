/* Segmentation and checksums in software: see tun_segment.h. It trusts its
 * packets, for gatun built them; the layout is checked all the same. */
#include "inbound/tun_segment.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "inbound/packet.h"

#define TCP_FIN_PSH 0x09
#define TCP_CWR 0x80

int tun_layout_of(const struct iovec *head, struct tun_layout *out)
{
	const uint8_t *h = head->iov_base;
	size_t len = head->iov_len;

	if (len < PACKET_IP4_HEADER)
		return -EINVAL;
	out->version = h[0] >> 4;
	if (out->version == 6 && len < PACKET_IP6_HEADER)
		return -EINVAL;
	out->l4 = out->version == 4 ? (uint32_t)(h[0] & 15) * 4 : PACKET_IP6_HEADER;
	out->proto = out->version == 4 ? h[9] : h[6];
	out->headers = out->l4 + PACKET_UDP_HEADER;
	if (out->proto == IPPROTO_TCP) {
		if (len < out->l4 + PACKET_TCP_HEADER)
			return -EINVAL;
		out->headers = out->l4 + (uint32_t)(h[out->l4 + 12] >> 4) * 4;
	}
	return len < out->headers ? -EINVAL : 0;
}

static uint32_t checksum_at(const struct tun_layout *l)
{
	return l->l4 + (l->proto == IPPROTO_TCP ? 16 : 6);
}

static uint64_t pseudo_sum(const uint8_t *packet, uint32_t len, const struct tun_layout *l)
{
	struct addr src = l->version == 4 ? addr_v4(packet + 12, 0) : addr_v6(packet + 8, 0);
	struct addr dst = l->version == 4 ? addr_v4(packet + 16, 0) : addr_v6(packet + 24, 0);

	return packet_pseudo_sum(&src, &dst, l->proto, len - l->l4);
}

void tun_finish_checksum(uint8_t *packet, uint32_t len, const struct tun_layout *l)
{
	uint8_t *field = packet + checksum_at(l);
	uint16_t sum;

	memset(field, 0, 2);
	sum = (uint16_t)~packet_fold(packet_sum(packet + l->l4, len - l->l4, pseudo_sum(packet, len, l)));
	if (!sum && l->proto == IPPROTO_UDP)
		sum = 0xffff; /* 0 would say: none */
	memcpy(field, &sum, 2);
}

static void set_ip_length(uint8_t *packet, uint32_t len, const struct tun_layout *l, unsigned index)
{
	uint16_t sum;

	if (l->version == 6) {
		packet_put16(packet + 4, len - PACKET_IP6_HEADER);
		return;
	}
	packet_put16(packet + 2, len);
	packet_put16(packet + 4, packet_get16(packet + 4) + (index ? 1u : 0u));
	memset(packet + 10, 0, 2);
	sum = (uint16_t)~packet_fold(packet_sum(packet, l->l4, 0));
	memcpy(packet + 10, &sum, 2);
}

/* The transport header of one piece: sequence number and flags, or UDP's length. */
static void set_l4(uint8_t *l4, const struct tun_layout *l, uint32_t seq, bool first, bool last, uint8_t flags, uint32_t payload)
{
	if (l->proto == IPPROTO_UDP) {
		packet_put16(l4 + 4, PACKET_UDP_HEADER + payload);
		return;
	}
	packet_put32(l4 + 4, seq);
	l4[13] = flags;
	if (!last)
		l4[13] &= (uint8_t)~TCP_FIN_PSH;
	if (!first)
		l4[13] &= (uint8_t)~TCP_CWR;
}

int tun_cut(uint8_t *packet, uint32_t len, const struct tun_layout *l, uint16_t gso_size,
	    int (*emit)(void *owner, const uint8_t *packet, uint32_t len), void *owner)
{
	static uint8_t piece[65536];
	uint32_t total = len - l->headers, seq = packet_get32(packet + l->l4 + 4);
	uint8_t flags = l->proto == IPPROTO_TCP ? packet[l->l4 + 13] : 0;
	unsigned index = 0;

	memcpy(piece, packet, l->headers);
	for (uint32_t off = 0; off < total; off += gso_size, index++) {
		uint32_t n = total - off < gso_size ? total - off : gso_size;
		int err;

		memcpy(piece + l->headers, packet + l->headers + off, n);
		set_ip_length(piece, l->headers + n, l, index);
		set_l4(piece + l->l4, l, seq + off, off == 0, off + n == total, flags, n);
		tun_finish_checksum(piece, l->headers + n, l);
		err = emit(owner, piece, l->headers + n);
		if (err)
			return err;
	}
	return 0;
}
