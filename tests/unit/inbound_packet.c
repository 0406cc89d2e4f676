/* inbound/packet: what parses and what must not, checksums, headers built. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inbound/packet.h"

static uint64_t seed = 1;

static uint32_t rnd(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

/* The packet at the very end of its allocation, so that AddressSanitizer sees
 * one byte too many. */
static int parse_exact(struct packet *p, const uint8_t *data, uint32_t len, uint8_t **keep)
{
	struct buf b = { .refs = 1, .size = len };

	*keep = malloc(len ? len : 1);
	memcpy(*keep, data, len);
	b.data = *keep;
	static struct buf hold;
	hold = b;
	return packet_parse(p, (struct slice){ .buf = &hold, .len = len });
}

static uint16_t naive_sum(const uint8_t *d, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i < n; i++)
		s += i & 1 ? d[i] : (uint32_t)d[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static void sums_are_those_of_rfc_1071(void **state)
{
	uint8_t d[300];

	(void)state;
	for (int round = 0; round < 2000; round++) {
		size_t n = rnd() % sizeof(d);
		uint16_t got, cut = (uint16_t)(rnd() % (n / 2 + 1) * 2);

		for (size_t i = 0; i < n; i++)
			d[i] = round % 3 ? (uint8_t)rnd() : 0xff;
		got = packet_fold(packet_sum(d, n, 0));
		assert_int_equal(packet_get16((uint8_t *)&got), naive_sum(d, n));
		got = packet_fold(packet_sum(d + cut, n - cut, packet_sum(d, cut, 0)));
		assert_int_equal(packet_get16((uint8_t *)&got), naive_sum(d, n));
	}
	/* The example of RFC 1071, section 3. */
	static const uint8_t example[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	uint16_t sum = packet_fold(packet_sum(example, sizeof(example), 0));
	assert_int_equal(packet_get16((uint8_t *)&sum), 0xddf2);
}

static uint32_t make_udp(uint8_t *out, int version, uint32_t payload)
{
	struct addr src = version == 4 ? addr_v4((uint8_t[]){ 10, 0, 0, 1 }, 1234) : addr_v6((uint8_t[16]){ 0xfd, [15] = 1 }, 1234);
	struct addr dst = version == 4 ? addr_v4((uint8_t[]){ 10, 0, 0, 2 }, 53) : addr_v6((uint8_t[16]){ 0xfd, [15] = 2 }, 53);
	uint32_t n = packet_build_udp(out, &src, &dst, payload);
	uint8_t *udp = out + n - 8;
	uint16_t sum;

	for (uint32_t i = 0; i < payload; i++)
		out[n + i] = (uint8_t)rnd();
	sum = (uint16_t)~packet_fold(packet_sum(udp, 8 + payload, 0));
	memcpy(udp + 6, &sum, 2);
	return n + payload;
}

static void what_is_built_parses(void **state)
{
	uint8_t d[4096], *keep;

	(void)state;
	for (int version = 4; version <= 6; version += 2)
		for (uint32_t payload = 0; payload < 3000; payload += 1 + rnd() % 200) {
			uint32_t n = make_udp(d, version, payload);
			struct packet p;

			assert_int_equal(parse_exact(&p, d, n, &keep), 0);
			assert_int_equal(p.version, version);
			assert_int_equal(p.proto, IPPROTO_UDP);
			assert_int_equal(p.src.port, 1234);
			assert_int_equal(p.dst.port, 53);
			assert_int_equal(packet_l4_len(&p), 8 + payload);
			assert_true(packet_checksum_ok(&p));
			keep[n - 1] ^= 1;
			assert_false(packet_checksum_ok(&p));
			free(keep);
		}
}

static void every_truncation_is_malformed(void **state)
{
	uint8_t d[256], *keep;

	(void)state;
	for (int version = 4; version <= 6; version += 2) {
		uint32_t n = make_udp(d, version, 100);

		for (uint32_t cut = 0; cut < n; cut++) {
			struct packet p;

			assert_int_equal(parse_exact(&p, d, cut, &keep), -EBADMSG);
			free(keep);
		}
	}
}

static void bytes_behind_the_packet_are_cut_off(void **state)
{
	uint8_t d[256], *keep;
	struct packet p;
	uint32_t n;

	(void)state;
	n = make_udp(d, 4, 10);
	assert_int_equal(parse_exact(&p, d, n + 50, &keep), 0);
	assert_int_equal(p.ip.len, n);
	free(keep);
}

/* An IPv6 packet with these extension headers in front of UDP. */
static uint32_t with_ext(uint8_t *out, const uint8_t *ext, uint32_t ext_len, uint8_t first)
{
	uint8_t udp[256];
	uint32_t n = make_udp(udp, 6, 20);

	memcpy(out, udp, 40);
	out[6] = first;
	packet_put16(out + 4, n - 40 + ext_len);
	memcpy(out + 40, ext, ext_len);
	memcpy(out + 40 + ext_len, udp + 40, n - 40);
	return n + ext_len;
}

static void extension_headers(void **state)
{
	static const uint8_t dst_then_udp[16] = { 17, 1 };
	static const uint8_t hbh_then_dst[16] = { 60, 0, [8] = 17, 0 };
	static const uint8_t routing_left[8] = { 17, 0, 0, 1 }, routing_done[8] = { 17, 0, 0, 0 };
	static const uint8_t too_long[8] = { 17, 255 };
	static const uint8_t atomic[8] = { 17, 0, 0, 0, 1, 2, 3, 4 }, fragment[8] = { 17, 0, 0x05, 0xa9, 1, 2, 3, 4 };
	uint8_t d[512], *keep;
	struct packet p;

	(void)state;
	assert_int_equal(parse_exact(&p, d, with_ext(d, dst_then_udp, 16, 60), &keep), 0);
	assert_int_equal(p.l4, 56);
	assert_int_equal(p.dst.port, 53);
	free(keep);
	assert_int_equal(parse_exact(&p, d, with_ext(d, hbh_then_dst, 16, 0), &keep), 0);
	assert_int_equal(p.l4, 56);
	free(keep);
	/* hop-by-hop anywhere but first */
	assert_int_equal(parse_exact(&p, d, with_ext(d, (uint8_t[16]){ 0, 0, [8] = 17 }, 16, 60), &keep), -EBADMSG);
	free(keep);
	assert_int_equal(parse_exact(&p, d, with_ext(d, routing_left, 8, 43), &keep), -EBADMSG);
	free(keep);
	assert_int_equal(parse_exact(&p, d, with_ext(d, routing_done, 8, 43), &keep), 0);
	free(keep);
	assert_int_equal(parse_exact(&p, d, with_ext(d, too_long, 8, 60), &keep), -EBADMSG);
	free(keep);
	assert_int_equal(parse_exact(&p, d, with_ext(d, atomic, 8, 44), &keep), 0);
	assert_false(p.fragment);
	assert_int_equal(p.dst.port, 53);
	free(keep);
	assert_int_equal(parse_exact(&p, d, with_ext(d, fragment, 8, 44), &keep), 0);
	assert_true(p.fragment && p.more_frags);
	assert_int_equal(p.frag_off, 0x05a8);
	assert_int_equal(p.frag_id, 0x01020304);
	assert_int_equal(p.dst.port, 0);
	free(keep);
	/* nothing we carry: no next header */
	assert_int_equal(parse_exact(&p, d, with_ext(d, (uint8_t[8]){ 59 }, 8, 60), &keep), -EPROTONOSUPPORT);
	free(keep);
}

static void a_chain_of_headers_without_end(void **state)
{
	uint8_t d[40 + 8 * 40] = { 0x60 }, *keep;
	struct packet p;

	(void)state;
	packet_put16(d + 4, sizeof(d) - 40);
	d[6] = 60;
	for (size_t i = 40; i < sizeof(d); i += 8)
		d[i] = 60;
	assert_int_equal(parse_exact(&p, d, sizeof(d), &keep), -EBADMSG);
	free(keep);
}

static void mapped_addresses_are_malformed(void **state)
{
	uint8_t d[256], *keep;
	struct packet p;
	uint32_t n = make_udp(d, 6, 10);

	(void)state;
	memset(d + 24, 0, 10);
	d[34] = d[35] = 0xff;
	assert_int_equal(parse_exact(&p, d, n, &keep), -EBADMSG);
	free(keep);
}

static void ip4_fragments(void **state)
{
	uint8_t d[256], *keep;
	struct packet p;
	uint32_t n = make_udp(d, 4, 40);
	uint16_t sum;

	(void)state;
	packet_put16(d + 4, 0xbeef);
	packet_put16(d + 6, 0x2000 | 185);
	memset(d + 10, 0, 2);
	sum = (uint16_t)~packet_fold(packet_sum(d, 20, 0));
	memcpy(d + 10, &sum, 2);
	assert_int_equal(parse_exact(&p, d, n, &keep), 0);
	assert_true(p.fragment && p.more_frags);
	assert_int_equal(p.frag_off, 1480);
	assert_int_equal(p.frag_id, 0xbeef);
	assert_int_equal(p.src.port, 0);
	free(keep);
	d[10] ^= 1;
	assert_int_equal(parse_exact(&p, d, n, &keep), -EBADMSG);
	free(keep);
}

/* What parsed may be read from end to end. */
static void touch(const struct packet *p)
{
	volatile uint8_t sink = 0;

	for (uint32_t i = 0; i < p->ip.len; i++)
		sink = (uint8_t)(sink + slice_data(&p->ip)[i]);
	assert_true(p->l4 <= p->ip.len);
	if (!p->fragment && p->proto == IPPROTO_TCP) {
		assert_true(packet_l4_len(p) >= 20);
		assert_true((uint32_t)(packet_l4(p)[12] >> 4) * 4 <= packet_l4_len(p));
	}
	if (!p->fragment && p->proto == IPPROTO_UDP)
		assert_true(packet_get16(packet_l4(p) + 4) <= packet_l4_len(p));
	if (!p->fragment)
		packet_checksum_ok(p);
}

static void random_bytes_of_every_length(void **state)
{
	static uint8_t d[65536];

	(void)state;
	for (size_t i = 0; i < sizeof(d); i++)
		d[i] = (uint8_t)rnd();
	for (uint32_t len = 0; len <= 65535; len++) {
		struct packet p;
		uint8_t *keep;

		for (int i = 0; i < 8; i++)
			packet_put32(d + 4 * i + (rnd() & 31), rnd());
		d[0] = (uint8_t)((len & 1 ? 0x40 : 0x60) | (rnd() & 15));
		if (rnd() % 4)
			packet_put16(d + (len & 1 ? 2 : 4), len & 1 ? len : len - 40);
		if (parse_exact(&p, d, len, &keep) == 0)
			touch(&p);
		free(keep);
	}
}

static void mutated_packets(void **state)
{
	(void)state;
	for (int round = 0; round < 300000; round++) {
		uint8_t d[512], *keep;
		uint32_t n = round % 3 ? make_udp(d, round & 1 ? 4 : 6, rnd() % 200)
				       : with_ext(d, (uint8_t[16]){ 60, 0, [8] = 17 }, 16, 60);
		struct packet p;

		if (round & 4) /* make it look like TCP, so that its checks run */
			d[round & 1 ? 9 : 6] = IPPROTO_TCP;
		for (unsigned k = rnd() % 6; k; k--)
			d[rnd() % 64 % n] = (uint8_t)rnd();
		if (n > 20 && d[0] >> 4 == 4 && rnd() % 8) { /* a right header checksum gets further */
			uint32_t h = (uint32_t)(d[0] & 15) * 4;
			uint16_t sum;

			if (h >= 20 && h <= n) {
				memset(d + 10, 0, 2);
				sum = (uint16_t)~packet_fold(packet_sum(d, h, 0));
				memcpy(d + 10, &sum, 2);
			}
		}
		if (parse_exact(&p, d, rnd() % 16 ? n : rnd() % (n + 1), &keep) == 0)
			touch(&p);
		free(keep);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_are_those_of_rfc_1071),
		cmocka_unit_test(what_is_built_parses),
		cmocka_unit_test(every_truncation_is_malformed),
		cmocka_unit_test(bytes_behind_the_packet_are_cut_off),
		cmocka_unit_test(extension_headers),
		cmocka_unit_test(a_chain_of_headers_without_end),
		cmocka_unit_test(mapped_addresses_are_malformed),
		cmocka_unit_test(ip4_fragments),
		cmocka_unit_test(random_bytes_of_every_length),
		cmocka_unit_test(mutated_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
