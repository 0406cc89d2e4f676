/*
 * Fragmenting output (RFC 791, RFC 8200 section 4.5). The checksum is computed
 * over the whole datagram; fragments are cut at multiples of 8 bytes, the first
 * one carries the transport header. Identifications come from one counter with
 * a random start. What fits the MTU takes one tun_write() without fragments.
 */
#include "inbound/ip_output.h"

#include <errno.h>
#include <string.h>

#include "crypto/random.h"
#include "inbound/packet.h"

#define HOP_LIMIT 64
#define FRAGMENT_HEADER 8u /* IPv6 */
#define MORE_FRAGMENTS 0x2000u

struct pieces {
	const uint8_t *header, *payload;
	uint32_t header_len, len; /* len: of the payload */
};

static uint32_t next_id(void)
{
	static uint32_t id;

	if (!id)
		id = (uint32_t)random_u64();
	return ++id;
}

static uint16_t checksum(const struct addr *src, const struct addr *dst, uint8_t proto, const struct pieces *p)
{
	uint64_t sum = proto == IPPROTO_ICMP ? 0 : packet_pseudo_sum(src, dst, proto, p->header_len + p->len);
	uint16_t folded;

	sum = packet_sum(p->header, p->header_len, sum);
	sum = packet_sum(p->payload, p->len, sum);
	folded = (uint16_t)~packet_fold(sum);
	/* Zero would mean "none" to UDP. */
	return folded == 0 && proto == IPPROTO_UDP ? 0xffff : folded;
}

/* Bytes off..off+len of header and payload as iovecs; how many. */
static int cut(const struct pieces *p, uint32_t off, uint32_t len, struct iovec *iov)
{
	int n = 0;

	if (off < p->header_len) {
		uint32_t part = p->header_len - off < len ? p->header_len - off : len;

		iov[n++] = (struct iovec){ (uint8_t *)(uintptr_t)p->header + off, part };
		off += part;
		len -= part;
	}
	if (len)
		iov[n++] = (struct iovec){ (uint8_t *)(uintptr_t)p->payload + (off - p->header_len), len };
	return n;
}

static void patch_ip4_fragment(uint8_t *ip, uint32_t id, uint32_t off, bool more)
{
	uint16_t sum;

	packet_put16(ip + 4, id & 0xffff);
	packet_put16(ip + 6, (off >> 3) | (more ? MORE_FRAGMENTS : 0));
	memset(ip + 10, 0, 2);
	sum = (uint16_t)~packet_fold(packet_sum(ip, PACKET_IP4_HEADER, 0));
	memcpy(ip + 10, &sum, 2);
}

/* The IP header (and IPv6's fragment header) of one fragment; its length. */
static uint32_t fragment_header(uint8_t *out, const struct addr *src, const struct addr *dst, uint8_t proto,
				uint32_t len, uint32_t id, uint32_t off, bool more)
{
	uint32_t n;

	if (src->family == AF_INET) {
		n = packet_build_ip(out, src, dst, proto, len, HOP_LIMIT, false);
		patch_ip4_fragment(out, id, off, more);
		return n;
	}
	n = packet_build_ip(out, src, dst, IPPROTO_FRAGMENT, FRAGMENT_HEADER + len, HOP_LIMIT, true);
	out[n] = proto;
	out[n + 1] = 0;
	packet_put16(out + n + 2, off | (more ? 1 : 0));
	packet_put32(out + n + 4, id);
	return n + FRAGMENT_HEADER;
}

static int output_fragments(struct tun *t, const struct addr *src, const struct addr *dst, uint8_t proto, const struct pieces *p)
{
	uint32_t ip_len = src->family == AF_INET ? PACKET_IP4_HEADER : PACKET_IP6_HEADER + FRAGMENT_HEADER;
	uint32_t step = ((uint32_t)tun_mtu(t) - ip_len) & ~7u, total = p->header_len + p->len, id = next_id();
	uint8_t head[PACKET_IP6_HEADER + FRAGMENT_HEADER];

	for (uint32_t off = 0; off < total; off += step) {
		uint32_t len = total - off < step ? total - off : step;
		struct iovec part[2], iov[3];
		uint8_t whole[PACKET_IP6_HEADER + FRAGMENT_HEADER + 64];
		int n = cut(p, off, len, part), err;

		uint32_t head_len = fragment_header(head, src, dst, proto, len, id, off, off + len < total);

		/* tun_write() wants the headers in one piece. */
		memcpy(whole, head, head_len);
		iov[0] = (struct iovec){ whole, head_len };
		if (off == 0) {
			memcpy(whole + head_len, part[0].iov_base, part[0].iov_len);
			iov[0].iov_len += part[0].iov_len;
			part[0] = part[1];
			n--;
		}
		for (int i = 0; i < n; i++)
			iov[1 + i] = part[i];
		err = tun_write(t, iov, 1 + n, 0, false);
		if (err)
			return err;
	}
	return 0;
}

int ip_output(struct tun *t, const struct addr *src, const struct addr *dst, uint8_t proto,
	      uint8_t *header, uint32_t header_len, uint32_t sum_at, const uint8_t *payload, uint32_t len)
{
	struct pieces p = { header, payload, header_len, len };
	uint32_t l4_len = header_len + len;
	uint32_t ip_len = src->family == AF_INET ? PACKET_IP4_HEADER : PACKET_IP6_HEADER;
	uint8_t head[PACKET_IP6_HEADER + 64];
	struct iovec iov[2];
	uint16_t sum;

	/* The payload length of IPv6 does not count its header; a reassembled one has 64 KiB. */
	if (l4_len > 65535 - (src->family == AF_INET ? ip_len : 0) || header_len > 64)
		return -EMSGSIZE;
	memset(header + sum_at, 0, 2);
	sum = checksum(src, dst, proto, &p);
	memcpy(header + sum_at, &sum, 2);
	if (ip_len + l4_len > (uint32_t)tun_mtu(t))
		return output_fragments(t, src, dst, proto, &p);
	ip_len = packet_build_ip(head, src, dst, proto, l4_len, HOP_LIMIT, true);
	memcpy(head + ip_len, header, header_len);
	iov[0] = (struct iovec){ head, ip_len + header_len };
	iov[1] = (struct iovec){ (uint8_t *)(uintptr_t)payload, len };
	return tun_write(t, iov, len ? 2 : 1, 0, false);
}
