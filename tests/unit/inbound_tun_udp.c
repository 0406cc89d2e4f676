/*
 * UDP, ICMP and fragments of a TUN whose other end is a socket pair: what goes
 * up is what the app sent, what comes down is packets whose lengths and
 * checksums are right, whole or as fragments, and errors are what the native
 * network would have sent. The lowest layer is real: tun.c and packet.c.
 */
#include "udp_helpers.h"

#include <linux/virtio_net.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include "inbound/icmp.h"
#include "inbound/packet.h"
#include "inbound/reassembly.h"
#include "inbound/tun_udp.h"
#include "io/datagram_counters.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5 /* Linux 6.2 */
#endif

#define MTU 1400
#define MAX_PAYLOAD 60000

static int far_fd; /* the kernel's end of the TUN */
static struct tun *tun;
static struct tun_udp *udp;
static struct reassembly *parts;
static struct addr app, app6, web, web6;
static enum icmp_others others_ping;
static bool refuse_all;

/* ---- what went up ---- */

static int n_up, n_batches;
static struct addr up_key, up_remote;
static uint32_t up_len, up_segment;
static bool up_intact;

static void on_up(void *owner, const struct datagram *d, int n)
{
	(void)owner;
	n_batches++;
	for (int i = 0; i < n; i++) {
		const uint8_t *data = slice_data(&d[i].payload);

		n_up++;
		up_key = d[i].key.addr;
		up_remote = d[i].remote->ip;
		up_len = d[i].payload.len;
		up_segment = d[i].segment;
		up_intact = !up_len || pattern_ok(data, up_len, data[0]);
		if (refuse_all)
			tun_udp_port(udp)->ops->refuse(tun_udp_port(udp), &d[i], END_LIMIT);
	}
}

static const struct datagram_events up_events = { on_up, NULL, NULL };

/* ---- set-up ---- */

static void on_udp(void *owner, const struct packet *p)
{
	(void)owner;
	tun_udp_input(udp, p);
}

static void on_icmp(void *owner, const struct packet *p)
{
	(void)owner;
	icmp_input(tun, p, others_ping);
}

static void on_fragment(void *owner, const struct packet *p)
{
	(void)owner;
	reassembly_input(parts, p);
}

static void on_batch_end(void *owner)
{
	(void)owner;
	tun_udp_batch_end(udp);
}

static void begin(bool uso)
{
	struct tun_handlers h = { .udp = on_udp, .icmp = on_icmp, .fragment = on_fragment, .batch_end = on_batch_end };
	struct tun_features f = { .vnet_hdr = uso, .uso = uso };
	int fds[2], size = 8 << 20;

	assert_int_equal(loop_init(), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	far_fd = fds[0];
	tun = tun_new(fds[1], f, MTU, &h);
	assert_non_null(tun);
	udp = tun_udp_new(tun, MAX_PAYLOAD);
	parts = reassembly_new(tun);
	datagram_bind(tun_udp_port(udp), &up_events, NULL);
	app = addr_v4((const uint8_t[]){ 10, 1, 2, 3 }, 40000);
	web = addr_v4((const uint8_t[]){ 192, 0, 2, 7 }, 443);
	app6 = addr_v6((const uint8_t[16]){ 0xfd, 1, [15] = 3 }, 40000);
	web6 = addr_v6((const uint8_t[16]){ 0x20, 1, 0xd, 0xb8, [15] = 7 }, 443);
	n_up = n_batches = 0;
	others_ping = ICMP_OTHERS_SILENT;
	refuse_all = false;
}

static void end(void)
{
	tun_udp_free(udp);
	reassembly_free(parts);
	tun_free(tun);
	close(far_fd);
	loop_turn();
	assert_int_equal(buf_pool_used(), 0);
	loop_free();
}

/* ---- packets ---- */

static uint8_t packet[70000];

static void finish_checksum(uint8_t *ip, uint32_t ip_len, uint32_t sum_at, const struct addr *from, const struct addr *to,
			    uint8_t proto, uint32_t l4_len)
{
	uint64_t sum = proto == IPPROTO_ICMP ? 0 : packet_pseudo_sum(from, to, proto, l4_len);
	uint16_t folded;

	memset(ip + ip_len + sum_at, 0, 2);
	folded = (uint16_t)~packet_fold(packet_sum(ip + ip_len, l4_len, sum));
	memcpy(ip + ip_len + sum_at, &folded, 2);
}

/* A UDP packet in `packet`; its length. */
static uint32_t make_udp(const struct addr *from, const struct addr *to, uint32_t len, uint8_t seed)
{
	uint32_t head = packet_build_udp(packet, from, to, len);

	for (uint32_t i = 0; i < len; i++)
		packet[head + i] = (uint8_t)(seed + i * 7);
	finish_checksum(packet, head - 8, 6, from, to, IPPROTO_UDP, 8 + len);
	return head + len;
}

static void give(const void *data, uint32_t len)
{
	assert_int_equal(send(far_fd, data, len, 0), len);
}

/* The next packet that came out of the TUN, parsed and with its checksum verified unless it is a fragment. */
static uint8_t out_bytes[70000 + 16];
static struct buf out_buf = { .refs = 1, .size = 70000 };

static bool next_out(struct packet *p)
{
	ssize_t n = recv(far_fd, out_bytes, sizeof(out_bytes), MSG_DONTWAIT);

	if (n <= 0)
		return false;
	out_buf.data = out_bytes;
	assert_int_equal(packet_parse(p, (struct slice){ &out_buf, 0, (uint32_t)n }), 0);
	assert_int_equal(p->ip.len, n);
	if (!p->fragment)
		assert_true(packet_checksum_ok(p));
	return true;
}

static void send_down(const struct addr *from, const struct addr *to, uint32_t len, uint8_t seed, uint16_t segment)
{
	struct slice s = pattern_slice(len, seed);
	struct target remote;
	struct datagram d = { .key = { .addr = *to }, .remote = &remote, .payload = s, .segment = segment };

	target_from_addr(&remote, from);
	datagram_send(tun_udp_port(udp), &d, 1);
	slice_unref(s);
}

/* Cuts `packet` (an IP packet of len bytes) into fragments of `step` bytes of payload. */
static int cut_fragments(uint32_t len, uint32_t step, uint8_t out[][2000], uint32_t *lens)
{
	uint8_t version = packet[0] >> 4;
	uint32_t head = version == 4 ? 20 : 40, total = len - head;
	int n = 0;

	for (uint32_t off = 0; off < total; off += step, n++) {
		uint32_t part = total - off < step ? total - off : step;
		bool more = off + part < total;

		memcpy(out[n], packet, head);
		if (version == 4) {
			uint16_t sum;
			packet_put16(out[n] + 2, head + part);
			packet_put16(out[n] + 4, 77);
			packet_put16(out[n] + 6, off / 8 | (more ? 0x2000 : 0));
			memset(out[n] + 10, 0, 2);
			sum = (uint16_t)~packet_fold(packet_sum(out[n], head, 0));
			memcpy(out[n] + 10, &sum, 2);
			memcpy(out[n] + head, packet + head + off, part);
			lens[n] = head + part;
		} else {
			packet_put16(out[n] + 4, 8 + part);
			out[n][40] = out[n][6];
			out[n][6] = IPPROTO_FRAGMENT;
			out[n][41] = 0;
			packet_put16(out[n] + 42, off | more);
			packet_put32(out[n] + 44, 77);
			memcpy(out[n] + 48, packet + head + off, part);
			lens[n] = 48 + part;
		}
	}
	return n;
}

/* ---- up ---- */

static void test_datagrams_go_up_as_they_were_sent(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 100, 1372 };

	(void)state;
	begin(false);
	for (int i = 0; i < 4; i++) {
		give(packet, make_udp(&app, &web, sizes[i], (uint8_t)i));
		turn_until(n_up == i + 1);
		assert_int_equal(up_len, sizes[i]);
		assert_true(up_intact && addr_equal(&up_key, &app) && addr_equal(&up_remote, &web));
	}
	give(packet, make_udp(&app6, &web6, 300, 9));
	turn_until(n_up == 5);
	assert_true(up_intact && addr_equal(&up_key, &app6) && addr_equal(&up_remote, &web6));
	end();
}

static void test_a_batch_is_handed_over_once(void **state)
{
	(void)state;
	begin(false);
	for (int i = 0; i < 50; i++)
		give(packet, make_udp(&app, &web, 64, (uint8_t)i));
	turn_until(n_up == 50);
	assert_int_equal(n_batches, 1);
	end();
}

static void test_super_packets_keep_their_segments(void **state)
{
	uint8_t with_header[10 + 2000];
	struct virtio_net_hdr h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_UDP_L4, .gso_size = 100,
				    .hdr_len = 28, .csum_start = 20, .csum_offset = 6 };
	uint32_t n = make_udp(&app, &web, 950, 1);

	(void)state;
	begin(true);
	memcpy(with_header, &h, 10);
	memcpy(with_header + 10, packet, n);
	give(with_header, n + 10);
	turn_until(n_up == 1);
	assert_int_equal(up_len, 950);
	assert_int_equal(up_segment, 100);
	end();
}

static void test_what_no_one_answers_is_dropped(void **state)
{
	struct addr all = addr_v4((const uint8_t[]){ 255, 255, 255, 255 }, 67);
	struct addr group = addr_v4((const uint8_t[]){ 224, 0, 0, 251 }, 5353);
	struct addr group6 = addr_v6((const uint8_t[16]){ 0xff, 2, [15] = 0xfb }, 5353);
	uint64_t denied = datagram_counters.dropped_acl, malformed = datagram_counters.malformed;
	struct addr nowhere = web;
	struct packet p;
	uint32_t n;

	(void)state;
	begin(false);
	give(packet, make_udp(&app, &all, 10, 0));
	give(packet, make_udp(&app, &group, 10, 0));
	give(packet, make_udp(&app6, &group6, 10, 0));
	turn_until(datagram_counters.dropped_acl == denied + 3);
	nowhere.port = 0;
	give(packet, make_udp(&app, &nowhere, 10, 0));
	turn_until(datagram_counters.malformed == malformed + 1);
	n = make_udp(&app, &web, 10, 0);
	packet[n - 1] ^= 1; /* a bad checksum */
	give(packet, n);
	n = make_udp(&app, &web, 10, 0);
	packet_put16(packet + 24, 8 + 11); /* a length beyond the packet */
	give(packet, n);
	turns(5);
	assert_int_equal(n_up, 0);
	assert_false(next_out(&p));
	end();
}

static void test_too_large_gets_the_exact_number(void **state)
{
	static uint8_t frags[64][2000];
	uint32_t lens[64], n;
	struct packet p;
	uint64_t before = datagram_counters.too_big;

	(void)state;
	begin(false);
	n = make_udp(&app, &web, MAX_PAYLOAD + 1, 0);
	n = (uint32_t)cut_fragments(n, 1376, frags, lens);
	for (uint32_t i = 0; i < n; i++)
		give(frags[i], lens[i]);
	turn_until(datagram_counters.too_big == before + 1);
	assert_true(next_out(&p));
	assert_int_equal(p.proto, IPPROTO_ICMP);
	assert_int_equal(packet_l4(&p)[0], ICMP_DEST_UNREACH);
	assert_int_equal(packet_l4(&p)[1], ICMP_FRAG_NEEDED);
	assert_int_equal(packet_get16(packet_l4(&p) + 6), MAX_PAYLOAD + 28);

	n = make_udp(&app6, &web6, MAX_PAYLOAD + 1, 0);
	n = (uint32_t)cut_fragments(n, 1344, frags, lens);
	for (uint32_t i = 0; i < n; i++)
		give(frags[i], lens[i]);
	turn_until(datagram_counters.too_big == before + 2);
	assert_true(next_out(&p));
	assert_int_equal(packet_l4(&p)[0], ICMP6_PACKET_TOO_BIG);
	assert_int_equal(packet_get32(packet_l4(&p) + 4), MAX_PAYLOAD + 48);
	assert_int_equal(n_up, 0);
	end();
}

/* In a stream (UDP over TCP) more is carried than a packet of IPv6 with all its headers is told as. */
static void test_a_limit_beyond_16_bits_is_told_as_that(void **state)
{
	static uint8_t frags[64][2000];
	uint32_t lens[64], n;
	struct packet p;

	(void)state;
	begin(false);
	tun_udp_free(udp);
	udp = tun_udp_new(tun, 65495);
	datagram_bind(tun_udp_port(udp), &up_events, NULL);
	n = make_udp(&app6, &web6, 65496, 0);
	n = (uint32_t)cut_fragments(n, 1344, frags, lens);
	for (uint32_t i = 0; i < n; i++)
		give(frags[i], lens[i]);
	turns(200);
	assert_true(next_out(&p));
	assert_int_equal(packet_l4(&p)[0], ICMP6_PACKET_TOO_BIG);
	assert_int_equal(packet_get32(packet_l4(&p) + 4), UINT16_MAX);
	end();
}

/* As make_udp(), and not to be fragmented; that an IPv6 packet never is. */
static uint32_t make_whole_udp(const struct addr *from, const struct addr *to, uint32_t len)
{
	uint32_t n = make_udp(from, to, len, 0);
	uint16_t sum;

	if (from->family == AF_INET6)
		return n;
	packet_put16(packet + 6, 0x4000);
	memset(packet + 10, 0, 2);
	sum = (uint16_t)~packet_fold(packet_sum(packet, 20, 0));
	memcpy(packet + 10, &sum, 2);
	return n;
}

/* Says `number` about a datagram of that many bytes (IP header included) that must not be fragmented, and
 * takes one that is a byte shorter. */
static void limits_at(const struct addr *from, const struct addr *to, uint32_t number)
{
	uint32_t head = from->family == AF_INET ? 28 : 48;
	int before = n_up;
	struct packet p;

	give(packet, make_whole_udp(from, to, number - head));
	turn_until(n_up == before + 1);
	assert_false(next_out(&p));
	give(packet, make_whole_udp(from, to, number - head + 1));
	turns(5);
	assert_int_equal(n_up, before + 1);
	assert_true(next_out(&p));
	if (from->family == AF_INET)
		assert_int_equal(packet_get16(packet_l4(&p) + 6), number);
	else
		assert_int_equal(packet_get32(packet_l4(&p) + 4), number);
}

static void test_what_may_not_be_cut_learns_the_path(void **state)
{
	static uint8_t frags[64][2000];
	uint32_t lens[64], n;
	struct packet p;

	(void)state;
	begin(false);
	tun_udp_set_path(udp, 1300, 1308);
	limits_at(&app, &web, 1300);
	limits_at(&app6, &web6, 1308);
	/* Without DF, or in parts, it may travel in parts. */
	give(packet, make_udp(&app, &web, 1350, 0));
	turn_until(n_up == 3);
	n = make_udp(&app6, &web6, 1350, 0);
	n = (uint32_t)cut_fragments(n, 800, frags, lens);
	for (uint32_t i = 0; i < n; i++)
		give(frags[i], lens[i]);
	turn_until(n_up == 4);
	assert_false(next_out(&p));
	tun_udp_set_path(udp, 0, 0);
	give(packet, make_whole_udp(&app, &web, 1372));
	turn_until(n_up == 5);
	end();
}

static void test_a_refused_datagram_gets_port_unreachable(void **state)
{
	struct packet p;
	uint8_t sent[400];
	uint32_t n;

	(void)state;
	begin(false);
	refuse_all = true;
	n = make_udp(&app, &web, 100, 5);
	memcpy(sent, packet, n);
	give(packet, n);
	turn_until(n_up == 1);
	assert_true(next_out(&p));
	assert_true(addr_ip_equal(&p.src, &web) && addr_ip_equal(&p.dst, &app));
	assert_int_equal(packet_l4(&p)[0], ICMP_DEST_UNREACH);
	assert_int_equal(packet_l4(&p)[1], ICMP_PORT_UNREACH);
	assert_memory_equal(packet_l4(&p) + 8, sent, n);

	give(packet, make_udp(&app6, &web6, 100, 5));
	turn_until(n_up == 2);
	assert_true(next_out(&p));
	assert_int_equal(packet_l4(&p)[0], ICMP6_DST_UNREACH);
	assert_int_equal(packet_l4(&p)[1], ICMP6_DST_UNREACH_NOPORT);
	end();
}

/* ---- down ---- */

static void test_replies_have_their_true_source(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 1372 };
	struct packet p;

	(void)state;
	begin(false);
	for (int i = 0; i < 3; i++) {
		send_down(&web, &app, sizes[i], (uint8_t)i, 0);
		assert_true(next_out(&p));
		assert_true(addr_equal(&p.src, &web) && addr_equal(&p.dst, &app));
		assert_int_equal(packet_l4_len(&p), 8 + sizes[i]);
		assert_int_equal(packet_get16(packet_l4(&p) + 4), 8 + sizes[i]);
		assert_true(pattern_ok(packet_l4(&p) + 8, sizes[i], (uint8_t)i));
	}
	send_down(&web6, &app6, 500, 9, 0);
	assert_true(next_out(&p));
	assert_true(addr_equal(&p.src, &web6) && pattern_ok(packet_l4(&p) + 8, 500, 9));
	send_down(&web6, &app, 10, 0, 0); /* no such packet exists */
	assert_false(next_out(&p));
	end();
}

static void test_a_run_down_is_one_super_packet_or_many(void **state)
{
	struct packet p;
	struct virtio_net_hdr h;
	ssize_t n;

	(void)state;
	begin(false);
	send_down(&web, &app, 950, 1, 100);
	for (int i = 0; i < 10; i++) {
		assert_true(next_out(&p));
		assert_int_equal(packet_l4_len(&p), 8 + (i == 9 ? 50 : 100));
		assert_int_equal(packet_l4(&p)[8], (uint8_t)(1 + i * 700));
	}
	assert_false(next_out(&p));
	end();

	begin(true);
	send_down(&web, &app, 950, 1, 100);
	n = recv(far_fd, out_bytes, sizeof(out_bytes), MSG_DONTWAIT);
	assert_int_equal(n, 10 + 28 + 950);
	memcpy(&h, out_bytes, 10);
	assert_int_equal(h.gso_type, VIRTIO_NET_HDR_GSO_UDP_L4);
	assert_int_equal(h.gso_size, 100);
	assert_int_equal(recv(far_fd, out_bytes, sizeof(out_bytes), MSG_DONTWAIT), -1);
	end();
}

/* Separate replies of one size and one pair of ends are joined; others are not. */
static void test_equal_replies_are_joined(void **state)
{
	static const uint32_t sizes[] = { 100, 100, 100, 60, 100, 200, 0, 100 };
	static const ssize_t expected[] = { 360, 100, 200, 0, 100 };
	struct slice s = pattern_slice(1000, 0);
	struct target remotes[2];
	struct datagram d[9];

	(void)state;
	begin(true);
	target_from_addr(&remotes[0], &web);
	target_from_addr(&remotes[1], &web);
	remotes[1].ip.port = 444;
	for (int i = 0; i < 9; i++)
		d[i] = (struct datagram){ .key = { .addr = app }, .remote = &remotes[i == 8], .payload = { s.buf, 0, i < 8 ? sizes[i] : 100 } };
	datagram_send(tun_udp_port(udp), d, 9);
	for (int i = 0; i < 5; i++)
		assert_int_equal(recv(far_fd, out_bytes, sizeof(out_bytes), MSG_DONTWAIT), 10 + 28 + expected[i]);
	assert_int_equal(recv(far_fd, out_bytes, sizeof(out_bytes), MSG_DONTWAIT), 10 + 28 + 100);
	slice_unref(s);
	end();
}

/* What comes out as fragments goes in again and must be the same datagram. */
static void test_large_replies_are_fragmented_and_come_together(void **state)
{
	static const uint32_t sizes[] = { 1373, 1400, 8000, 60000 };

	(void)state;
	for (int v = 4; v <= 6; v += 2) {
		for (int i = 0; i < 4; i++) {
			const struct addr *from = v == 4 ? &web : &web6, *to = v == 4 ? &app : &app6;
			struct packet p;
			int pieces = 0;

			begin(false);
			send_down(from, to, sizes[i], 3, 0);
			while (next_out(&p)) {
				assert_true(p.fragment && p.ip.len <= MTU);
				give(out_bytes, p.ip.len);
				pieces++;
			}
			assert_true(pieces >= 2);
			turn_until(n_up == 1);
			assert_int_equal(up_len, sizes[i]);
			assert_true(up_intact && addr_equal(&up_key, from) && addr_equal(&up_remote, to));
			end();
		}
	}
}

/* ---- reassembly ---- */

static void test_fragments_in_any_order_and_twice(void **state)
{
	static uint8_t f[16][2000];
	static const int order[] = { 3, 0, 3, 5, 2, 0, 4, 1 };
	uint32_t lens[16];

	(void)state;
	begin(false);
	assert_int_equal(cut_fragments(make_udp(&app, &web, 8000, 4), 1376, f, lens), 6);
	for (int i = 0; i < 8; i++)
		give(f[order[i]], lens[order[i]]);
	turn_until(n_up == 1);
	assert_int_equal(up_len, 8000);
	assert_true(up_intact);
	assert_int_equal(reassembly_counters(parts)->active, 0);
	end();
}

static void test_overlaps_drop_the_whole_datagram(void **state)
{
	static uint8_t f[16][2000];
	uint32_t lens[16];
	uint64_t before;

	(void)state;
	begin(false);
	assert_int_equal(cut_fragments(make_udp(&app, &web, 4000, 4), 1376, f, lens), 3);
	before = reassembly_counters(parts)->overlaps;
	give(f[0], lens[0]);
	packet_put16(f[1] + 6, 0x2000 | (1376 / 8 - 1)); /* begins 8 bytes early */
	memset(f[1] + 10, 0, 2);
	uint16_t sum = (uint16_t)~packet_fold(packet_sum(f[1], 20, 0));
	memcpy(f[1] + 10, &sum, 2);
	give(f[1], lens[1]);
	turn_until(reassembly_counters(parts)->overlaps == before + 1);
	/* The honest rest does not revive it. */
	assert_int_equal(cut_fragments(make_udp(&app, &web, 4000, 4), 1376, f, lens), 3);
	for (int i = 0; i < 3; i++)
		give(f[i], lens[i]);
	turns(5);
	assert_int_equal(n_up, 0);
	/* The same bytes again, changed, inside what is there already. */
	packet_put16(packet + 4, 0);
	app.port++;
	make_udp(&app, &web, 4000, 4);
	assert_int_equal(cut_fragments(20 + 8 + 4000, 1376, f, lens), 3);
	f[0][5] = f[1][5] = f[2][5] = 99; /* another datagram */
	for (int i = 0; i < 3; i++) {
		memset(f[i] + 10, 0, 2);
		sum = (uint16_t)~packet_fold(packet_sum(f[i], 20, 0));
		memcpy(f[i] + 10, &sum, 2);
	}
	give(f[0], lens[0]);
	f[0][100] ^= 1;
	give(f[0], lens[0]);
	turn_until(reassembly_counters(parts)->overlaps == before + 2);
	end();
}

/* Holes: a thousand datagrams that never become whole hold no more than the limits. */
static void test_limits_hold_and_honest_traffic_passes(void **state)
{
	static uint8_t f[16][2000];
	uint32_t lens[16];
	int n;

	(void)state;
	begin(false);
	n = cut_fragments(make_udp(&app, &web, 8000, 4), 1376, f, lens);
	for (uint16_t id = 0; id < 1000; id++) {
		for (int i = 0; i < n - 1; i += 2) {
			uint16_t sum;
			packet_put16(f[i] + 4, 1000u + id);
			memset(f[i] + 10, 0, 2);
			sum = (uint16_t)~packet_fold(packet_sum(f[i], 20, 0));
			memcpy(f[i] + 10, &sum, 2);
			give(f[i], lens[i]);
		}
		loop_turn();
	}
	assert_true(reassembly_counters(parts)->active <= 256);
	assert_true(buf_pool_used() <= (6u << 20)); /* 1 MiB of bytes, each datagram in a buffer of 16.5 KiB */
	assert_true(reassembly_counters(parts)->limit > 0);
	n = cut_fragments(make_udp(&app, &web, 8000, 4), 1376, f, lens);
	for (int i = 0; i < n; i++)
		give(f[i], lens[i]);
	turn_until(n_up == 1);
	assert_true(up_intact);
	end();
}

/* ---- echo, and noise ---- */

static uint32_t make_echo(const struct addr *from, const struct addr *to, uint32_t len)
{
	uint8_t proto = from->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	uint32_t head = packet_build_ip(packet, from, to, proto, 8 + len, 64, false);

	memset(packet + head, 0, 8);
	packet[head] = from->family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	packet_put32(packet + head + 4, 0x12345678);
	for (uint32_t i = 0; i < len; i++)
		packet[head + 8 + i] = (uint8_t)(i * 7);
	finish_checksum(packet, head, 2, from, to, proto, 8 + len);
	return head + 8 + len;
}

static void test_ping_own_addresses_and_by_policy(void **state)
{
	struct addr own4 = addr_v4((const uint8_t[]){ 10, 9, 9, 1 }, 0), own6 = addr_v6((const uint8_t[16]){ 0xfd, 9, [15] = 1 }, 0);
	const struct addr *pairs[][2] = { { &app, &own4 }, { &app6, &own6 } }, *others[][2] = { { &app, &web }, { &app6, &web6 } };
	struct packet p;

	(void)state;
	begin(false);
	assert_int_equal(icmp_own_address(&own4), 0);
	assert_int_equal(icmp_own_address(&own6), 0);
	for (int v = 0; v < 2; v++) {
		give(packet, make_echo(others[v][0], others[v][1], 56));
		turns(3);
		assert_false(next_out(&p)); /* never a lie unasked */
		give(packet, make_echo(pairs[v][0], pairs[v][1], 56));
		turns(3);
		assert_true(next_out(&p));
		assert_true(addr_ip_equal(&p.src, pairs[v][1]) && addr_ip_equal(&p.dst, pairs[v][0]));
		assert_int_equal(packet_l4(&p)[0], v ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY);
		assert_int_equal(packet_get32(packet_l4(&p) + 4), 0x12345678);
		assert_true(pattern_ok(packet_l4(&p) + 8, 56, 0));
		others_ping = ICMP_OTHERS_REPLY;
		give(packet, make_echo(others[v][0], others[v][1], 56));
		turns(3);
		assert_true(next_out(&p));
		others_ping = ICMP_OTHERS_REFUSE;
		give(packet, make_echo(others[v][0], others[v][1], 56));
		turns(3);
		assert_true(next_out(&p));
		assert_int_equal(packet_l4(&p)[0], v ? ICMP6_DST_UNREACH : ICMP_DEST_UNREACH);
		others_ping = ICMP_OTHERS_SILENT;
	}
	end();
}

static void test_a_large_ping_is_answered_in_fragments(void **state)
{
	static uint8_t f[16][2000];
	uint32_t lens[16];
	struct packet p;
	int n;

	(void)state;
	begin(false);
	others_ping = ICMP_OTHERS_REPLY;
	n = cut_fragments(make_echo(&app, &web, 4000), 1376, f, lens);
	for (int i = 0; i < n; i++)
		give(f[i], lens[i]);
	turns(5);
	for (n = 0; next_out(&p); n++)
		assert_true(p.fragment && p.proto == IPPROTO_ICMP);
	assert_int_equal(n, 3);
	end();
}

/* What is refused later is quoted by its headers alone. */
static void test_an_error_about_a_datagram_that_is_gone(void **state)
{
	static const struct { enum flow_end why; uint8_t code4, code6; } rows[] = {
		{ END_REFUSED, ICMP_PORT_UNREACH, ICMP6_DST_UNREACH_NOPORT }, { END_LIMIT, ICMP_PORT_UNREACH, ICMP6_DST_UNREACH_NOPORT },
		{ END_UNREACHABLE, ICMP_HOST_UNREACH, ICMP6_DST_UNREACH_ADDR }, { END_NET_UNREACHABLE, ICMP_NET_UNREACH, ICMP6_DST_UNREACH_NOROUTE },
		{ END_DENIED, ICMP_PKT_FILTERED, ICMP6_DST_UNREACH_ADMIN },
	};

	(void)state;
	begin(false);
	for (unsigned i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		bool v6 = i & 1;
		struct target remote;
		struct datagram d = { .key.addr = v6 ? app6 : app, .remote = &remote };
		struct packet p, quoted;
		struct slice inner;

		target_from_addr(&remote, v6 ? &web6 : &web);
		tun_udp_port(udp)->ops->refuse(tun_udp_port(udp), &d, rows[i / 2].why);
		assert_true(next_out(&p));
		assert_int_equal(p.proto, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
		assert_true(packet_checksum_ok(&p));
		assert_true(addr_ip_equal(&p.src, &remote.ip) && addr_ip_equal(&p.dst, &d.key.addr));
		assert_int_equal(packet_l4(&p)[0], v6 ? ICMP6_DST_UNREACH : ICMP_DEST_UNREACH);
		assert_int_equal(packet_l4(&p)[1], v6 ? rows[i / 2].code6 : rows[i / 2].code4);
		inner = (struct slice){ p.ip.buf, p.ip.off + p.l4 + 8, packet_l4_len(&p) - 8 };
		assert_int_equal(packet_parse(&quoted, inner), 0);
		assert_true(addr_equal(&quoted.src, &d.key.addr) && addr_equal(&quoted.dst, &remote.ip));
		if (v6)
			continue;
		assert_int_equal(target_set(&remote, "name.test", 9, 80), 0);
		tun_udp_port(udp)->ops->refuse(tun_udp_port(udp), &d, rows[i / 2].why);
		assert_false(next_out(&p)); /* a name is in no packet */
	}
	end();
}

static void test_no_error_about_an_error_and_not_too_many(void **state)
{
	struct packet p;
	uint32_t n = packet_build_ip(packet, &app, &web, IPPROTO_ICMP, 8, 64, false);
	struct buf b = { .refs = 1, .data = packet, .size = sizeof(packet) };
	uint64_t held;
	int sent = 0;

	(void)state;
	begin(false);
	memset(packet + n, 0, 8);
	packet[n] = ICMP_DEST_UNREACH;
	finish_checksum(packet, n, 2, &app, &web, IPPROTO_ICMP, 8);
	assert_int_equal(packet_parse(&p, (struct slice){ &b, 0, n + 8 }), 0);
	icmp_send_unreachable(tun, &p, ICMP_HOST_UNREACHABLE, 0);
	assert_int_equal(recv(far_fd, out_bytes, sizeof(out_bytes), MSG_DONTWAIT), -1);

	n = make_udp(&app, &web, 10, 0);
	assert_int_equal(packet_parse(&p, (struct slice){ &b, 0, n }), 0);
	held = icmp_counters.errors_held;
	for (int i = 0; i < 5000; i++) {
		icmp_send_unreachable(tun, &p, ICMP_ADMIN_PROHIBITED, 0);
		sent += recv(far_fd, out_bytes, sizeof(out_bytes), MSG_DONTWAIT) > 0;
	}
	assert_true(sent >= 100 && sent <= 2000);
	assert_int_equal(icmp_counters.errors_held - held, 5000 - (uint64_t)sent);
	end();
}

/* Seeded, so that a failure repeats. */
static uint32_t noise(void)
{
	static uint32_t x = 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	return x ^= x << 5;
}

/* Real packets with a few bytes changed, cut or as fragments, both families, checksum
 * mended or not: nothing crashes, and nothing is held when it is over. */
static void test_broken_packets_do_no_harm(void **state)
{
	static uint8_t f[16][2000];
	uint32_t lens[16];
	struct packet p;

	(void)state;
	begin(false);
	others_ping = ICMP_OTHERS_REPLY;
	for (int i = 0; i < 20000; i++) {
		bool v6 = noise() & 1;
		const struct addr *from = v6 ? &app6 : &app, *to = v6 ? &web6 : &web;
		uint32_t n = noise() & 2 ? make_udp(from, to, noise() % 1200, 0) : make_echo(from, to, noise() % 1200);
		uint8_t *one = packet;

		if (noise() % 3 == 0) {
			uint32_t step = 8 + 8 * (noise() % 160);

			if (n / step < 15) {
				int pieces = cut_fragments(n, step, f, lens), pick = (int)(noise() % (uint32_t)pieces);
				one = f[pick];
				n = lens[pick];
			}
		}
		for (uint32_t k = noise() % 4; k; k--)
			one[noise() % n] = (uint8_t)noise();
		if (noise() % 8 == 0)
			n = noise() % n;
		if (!v6 && n >= 20 && (noise() & 1)) { /* else most die at the header's sum */
			uint16_t sum;
			memset(one + 10, 0, 2);
			sum = (uint16_t)~packet_fold(packet_sum(one, 20, 0));
			memcpy(one + 10, &sum, 2);
		}
		if (n)
			give(one, n);
		if (i % 50 == 49) {
			loop_turn();
			while (recv(far_fd, out_bytes, sizeof(out_bytes), MSG_DONTWAIT) > 0)
				;
		}
	}
	turns(3);
	n_up = 0;
	give(packet, make_udp(&app, &web, 99, 1));
	turn_until(n_up == 1);
	assert_true(up_intact && up_len == 99);
	while (next_out(&p))
		;
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_datagrams_go_up_as_they_were_sent),
		cmocka_unit_test(test_a_batch_is_handed_over_once),
		cmocka_unit_test(test_super_packets_keep_their_segments),
		cmocka_unit_test(test_what_no_one_answers_is_dropped),
		cmocka_unit_test(test_too_large_gets_the_exact_number),
		cmocka_unit_test(test_a_limit_beyond_16_bits_is_told_as_that),
		cmocka_unit_test(test_what_may_not_be_cut_learns_the_path),
		cmocka_unit_test(test_a_refused_datagram_gets_port_unreachable),
		cmocka_unit_test(test_replies_have_their_true_source),
		cmocka_unit_test(test_a_run_down_is_one_super_packet_or_many),
		cmocka_unit_test(test_equal_replies_are_joined),
		cmocka_unit_test(test_large_replies_are_fragmented_and_come_together),
		cmocka_unit_test(test_fragments_in_any_order_and_twice),
		cmocka_unit_test(test_overlaps_drop_the_whole_datagram),
		cmocka_unit_test(test_limits_hold_and_honest_traffic_passes),
		cmocka_unit_test(test_ping_own_addresses_and_by_policy),
		cmocka_unit_test(test_a_large_ping_is_answered_in_fragments),
		cmocka_unit_test(test_an_error_about_a_datagram_that_is_gone),
		cmocka_unit_test(test_no_error_about_an_error_and_not_too_many),
		cmocka_unit_test(test_broken_packets_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
