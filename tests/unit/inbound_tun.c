/* inbound/tun: a device that is a pair of datagram sockets. */
#include <errno.h>
#include <linux/virtio_net.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "inbound/packet.h"
#include "inbound/tun.h"
#include "loop/loop.h"

static struct tun *tun;
static int wire;
static unsigned tcp, udp, icmp, fragments, batches, largest_batch, in_batch;
static struct packet last;
static struct slice kept;
static uint64_t seed = 7;

static uint32_t rnd(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

static void touch(const struct packet *p)
{
	volatile uint8_t sink = 0;

	for (uint32_t i = 0; i < p->ip.len; i++)
		sink = (uint8_t)(sink + slice_data(&p->ip)[i]);
	last = *p;
	in_batch++;
}

static void on_tcp(void *owner, const struct packet *p) { (void)owner, touch(p), tcp++; }
static void on_icmp(void *owner, const struct packet *p) { (void)owner, touch(p), icmp++; }
static void on_fragment(void *owner, const struct packet *p) { (void)owner, touch(p), fragments++; }
static void on_udp(void *owner, const struct packet *p)
{
	(void)owner;
	touch(p);
	udp++;
	if (!kept.buf)
		kept = slice_ref(p->ip);
}
static void on_batch_end(void *owner)
{
	(void)owner;
	batches++;
	if (in_batch > largest_batch)
		largest_batch = in_batch;
	in_batch = 0;
}

static void open_device(bool vnet)
{
	struct tun_handlers h = { .tcp = on_tcp, .udp = on_udp, .icmp = on_icmp, .fragment = on_fragment, .batch_end = on_batch_end };
	int fds[2], size = 8 << 20;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	assert_int_equal(loop_init(), 0);
	tun = tun_new(fds[0], (struct tun_features){ .vnet_hdr = vnet, .uso = vnet }, 1500, &h);
	assert_non_null(tun);
	wire = fds[1];
	tcp = udp = icmp = fragments = batches = largest_batch = in_batch = 0;
	memset(&kept, 0, sizeof(kept));
}

static void close_device(void)
{
	if (kept.buf)
		slice_unref(kept);
	tun_free(tun);
	close(wire);
	loop_free();
}

static void turns(int n)
{
	while (n--)
		loop_turn();
}

/* A UDP or TCP packet with a right checksum; returns its length. */
static uint32_t make(uint8_t *out, int version, uint8_t proto, uint32_t payload)
{
	struct addr src = version == 4 ? addr_v4((uint8_t[]){ 10, 0, 0, 1 }, 1234) : addr_v6((uint8_t[16]){ 0xfd, [15] = 1 }, 1234);
	struct addr dst = version == 4 ? addr_v4((uint8_t[]){ 10, 0, 0, 2 }, 80) : addr_v6((uint8_t[16]){ 0xfd, [15] = 2 }, 80);
	uint32_t header = proto == IPPROTO_TCP ? 20 : 8, l4 = header + payload;
	uint32_t ip = packet_build_ip(out, &src, &dst, proto, l4, 64, true);
	uint8_t *h = out + ip;
	uint16_t sum;

	memset(h, 0, header);
	packet_put16(h, src.port);
	packet_put16(h + 2, dst.port);
	if (proto == IPPROTO_TCP) {
		packet_put32(h + 4, 1000);
		h[12] = 0x50;
		h[13] = 0x19; /* FIN PSH ACK */
	} else {
		packet_put16(h + 4, l4);
	}
	for (uint32_t i = 0; i < payload; i++)
		h[header + i] = (uint8_t)(i * 13 + (i >> 8));
	sum = (uint16_t)~packet_fold(packet_sum(h, l4, packet_pseudo_sum(&src, &dst, proto, l4)));
	memcpy(h + (proto == IPPROTO_TCP ? 16 : 6), &sum, 2);
	return ip + l4;
}

static void put(const struct virtio_net_hdr *v, const void *data, uint32_t len)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)v, v ? sizeof(*v) : 0 }, { (void *)(uintptr_t)data, len } };

	assert_int_equal(writev(wire, v ? iov : iov + 1, v ? 2 : 1), (ssize_t)(len + (v ? sizeof(*v) : 0)));
}

static void packets_reach_their_handler(void **state)
{
	uint8_t d[2048];
	struct virtio_net_hdr v = { 0 };
	uint32_t n;

	(void)state;
	open_device(true);
	for (int version = 4; version <= 6; version += 2) {
		n = make(d, version, IPPROTO_TCP, 100);
		put(&v, d, n);
		n = make(d, version, IPPROTO_UDP, 100);
		put(&v, d, n);
	}
	turns(2);
	assert_int_equal(tcp, 2);
	assert_int_equal(udp, 2);
	assert_int_equal(last.version, 6);
	assert_int_equal(last.dst.port, 80);
	assert_int_equal(tun_counters(tun)->rx_packets, 4);
	close_device();
}

static void a_wrong_checksum_is_dropped_unless_vouched_for(void **state)
{
	uint8_t d[2048];
	struct virtio_net_hdr none = { 0 }, partial = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM }, valid = { .flags = VIRTIO_NET_HDR_F_DATA_VALID };
	uint32_t n;

	(void)state;
	open_device(true);
	n = make(d, 4, IPPROTO_TCP, 100);
	d[n - 1] ^= 0x55;
	put(&none, d, n);
	turns(2);
	assert_int_equal(tcp, 0);
	assert_int_equal(tun_counters(tun)->rx_bad_checksum, 1);
	put(&partial, d, n);
	put(&valid, d, n);
	turns(2);
	assert_int_equal(tcp, 2);
	close_device();
}

static void super_packets_say_their_size(void **state)
{
	static uint8_t d[65536];
	struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1460 };

	(void)state;
	open_device(true);
	put(&v, d, make(d, 4, IPPROTO_TCP, 60000));
	turns(2);
	assert_int_equal(tcp, 1);
	assert_int_equal(last.gso_size, 1460);
	/* contradictions: an IPv6 packet said to be TCPV4, no size, a UDP packet */
	put(&v, d, make(d, 6, IPPROTO_TCP, 5000));
	put(&v, d, make(d, 4, IPPROTO_UDP, 5000));
	v.gso_size = 0;
	put(&v, d, make(d, 4, IPPROTO_TCP, 5000));
	turns(2);
	assert_int_equal(tcp, 1);
	assert_int_equal(udp, 0);
	assert_int_equal(tun_counters(tun)->rx_malformed, 3);
	close_device();
}

static void discovery_and_listener_reports_are_silence(void **state)
{
	uint8_t d[256] = { 0 };
	struct addr src = addr_v6((uint8_t[16]){ 0xfe, 0x80, [15] = 1 }, 0), dst = addr_v6((uint8_t[16]){ 0xff, 2, [15] = 2 }, 0);
	static const uint8_t types[] = { 128, 130, 131, 132, 133, 134, 135, 136, 137, 143, 129, 2 };

	(void)state;
	open_device(false);
	for (size_t i = 0; i < sizeof(types); i++) {
		uint32_t ip = packet_build_ip(d, &src, &dst, IPPROTO_ICMPV6, 16, 255, false);
		uint16_t sum;

		memset(d + ip, 0, 16);
		d[ip] = types[i];
		sum = (uint16_t)~packet_fold(packet_sum(d + ip, 16, packet_pseudo_sum(&src, &dst, IPPROTO_ICMPV6, 16)));
		memcpy(d + ip + 2, &sum, 2);
		put(NULL, d, ip + 16);
	}
	turns(2);
	assert_int_equal(icmp, 3); /* echo request, echo reply, packet too big */
	assert_int_equal(tun_counters(tun)->rx_malformed + tun_counters(tun)->rx_bad_checksum, 0);
	close_device();
}

static void batches_are_bounded_and_told(void **state)
{
	uint8_t d[256];
	uint32_t n = make(d, 4, IPPROTO_TCP, 10);

	(void)state;
	open_device(false);
	for (int i = 0; i < 150; i++)
		put(NULL, d, n);
	turns(6);
	assert_int_equal(tcp, 150);
	assert_int_equal(largest_batch, 64);
	assert_true(batches >= 3);
	close_device();
}

static void what_is_kept_stays_as_it_was(void **state)
{
	static const uint32_t sizes[] = { 1, 1000, 3000, 30000, 65000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		static uint8_t d[65536], other[65536];
		uint32_t n = make(d, 4, IPPROTO_UDP, sizes[i]);

		open_device(false);
		put(NULL, d, n);
		turns(1);
		assert_int_equal(kept.len, n);
		memset(other, 0xee, sizeof(other));
		put(NULL, other, make(other, 4, IPPROTO_TCP, sizes[i]));
		put(NULL, other, 60000);
		turns(2);
		assert_memory_equal(slice_data(&kept), d, n);
		/* a small packet does not pin a large buffer */
		assert_true(kept.buf->size <= n * 8 + BUF_SMALL);
		close_device();
	}
}

static void a_reassembled_packet_is_checked_like_any_other(void **state)
{
	uint8_t d[2048];
	uint32_t n = make(d, 4, IPPROTO_UDP, 100);
	struct buf b = { .refs = 1000, .size = sizeof(d), .data = d };

	(void)state;
	open_device(true);
	tun_inject(tun, (struct slice){ .buf = &b, .len = n });
	assert_int_equal(udp, 1);
	d[n - 1] ^= 1;
	tun_inject(tun, (struct slice){ .buf = &b, .len = n });
	assert_int_equal(udp, 1);
	kept.buf = NULL;
	close_device();
}

static void offload_is_asked_of_the_kernel(void **state)
{
	static uint8_t d[65536], got[65600];
	struct virtio_net_hdr v;
	uint32_t n = make(d, 6, IPPROTO_TCP, 5000);
	struct iovec iov[3] = { { d, 60 }, { d + 60, 2000 }, { d + 2060, n - 2060 } };

	(void)state;
	open_device(true);
	assert_int_equal(tun_write(tun, iov, 3, 1440, true), 0);
	assert_int_equal(read(wire, got, sizeof(got)), (ssize_t)(sizeof(v) + n));
	memcpy(&v, got, sizeof(v));
	assert_int_equal(v.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(v.gso_type, VIRTIO_NET_HDR_GSO_TCPV6);
	assert_int_equal(v.gso_size, 1440);
	assert_int_equal(v.csum_start, 40);
	assert_int_equal(v.csum_offset, 16);
	assert_int_equal(v.hdr_len, 60);
	assert_memory_equal(got + sizeof(v), d, n);
	/* what fits one segment is an ordinary packet */
	assert_int_equal(tun_write(tun, iov, 1, 1440, true), 0);
	assert_int_equal(read(wire, got, sizeof(got)), (ssize_t)(sizeof(v) + 60));
	memcpy(&v, got, sizeof(v));
	assert_int_equal(v.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	assert_int_equal(v.gso_size, 0);
	close_device();
}

static void without_offload_pieces_are_right(void **state)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };

	(void)state;
	for (int i = 0; i < 4; i++) {
		static uint8_t d[65536], got[65600];
		uint8_t proto = protos[i & 1];
		uint32_t n = make(d, i & 2 ? 6 : 4, proto, 10007), header = proto == IPPROTO_TCP ? 20 : 8, off = 0;
		struct iovec iov[2];
		uint32_t ip = i & 2 ? 40 : 20;

		open_device(false);
		iov[0] = (struct iovec){ d, ip + header };
		iov[1] = (struct iovec){ d + ip + header, n - ip - header };
		assert_int_equal(tun_write(tun, iov, 2, 1000, true), 0);
		for (int piece = 0; piece < 11; piece++) {
			ssize_t len = read(wire, got, sizeof(got));
			struct buf b = { .refs = 1, .size = sizeof(got), .data = got };
			struct packet p;
			uint32_t payload;

			assert_true(len > 0);
			assert_int_equal(packet_parse(&p, (struct slice){ .buf = &b, .len = (uint32_t)len }), 0);
			assert_true(packet_checksum_ok(&p));
			payload = packet_l4_len(&p) - header;
			assert_int_equal(payload, piece < 10 ? 1000 : 7);
			assert_memory_equal(packet_l4(&p) + header, d + ip + header + off, payload);
			if (proto == IPPROTO_TCP) {
				assert_int_equal(packet_get32(packet_l4(&p) + 4), 1000 + off);
				assert_int_equal(packet_l4(&p)[13], piece < 10 ? 0x10 : 0x19);
			}
			off += payload;
		}
		assert_int_equal(read(wire, got, sizeof(got)), -1);
		close_device();
	}
}

static void random_and_mutated_packets_of_every_length(void **state)
{
	static uint8_t d[65700];
	uint64_t sent = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(d); i++)
		d[i] = (uint8_t)rnd();
	open_device(true);
	for (uint32_t len = 1; len <= 65535; len += len < 3000 ? 1 : 1 + rnd() % 200) {
		struct virtio_net_hdr v = { 0 };
		uint32_t n = 10 + len;

		if (len % 3 == 0 && len > 60) { /* a true packet, mutated */
			make(d + 10, len & 1 ? 4 : 6, len & 2 ? IPPROTO_TCP : IPPROTO_UDP, len - 60);
			for (unsigned k = rnd() % 4; k; k--)
				d[10 + rnd() % 60] = (uint8_t)rnd();
		} else {
			d[10] = (uint8_t)((len & 1 ? 0x40 : 0x60) | (rnd() & 15));
		}
		v.flags = (uint8_t)(rnd() & 7);
		v.gso_type = rnd() % 4 ? 0 : (uint8_t)(rnd() & 0x87);
		v.gso_size = (uint16_t)(rnd() & 0xffff);
		memcpy(d, &v, 10);
		assert_int_equal(write(wire, d, n), (ssize_t)n);
		sent++;
		if (sent % 2 == 0)
			turns(1);
	}
	put(NULL, d, 3); /* shorter than the header of the device itself */
	turns(4);
	assert_int_equal(tun_counters(tun)->rx_packets, sent);
	assert_true(tun_counters(tun)->rx_malformed > sent / 4);
	assert_true(tcp + udp > 0);
	close_device();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_reach_their_handler),
		cmocka_unit_test(a_wrong_checksum_is_dropped_unless_vouched_for),
		cmocka_unit_test(super_packets_say_their_size),
		cmocka_unit_test(discovery_and_listener_reports_are_silence),
		cmocka_unit_test(batches_are_bounded_and_told),
		cmocka_unit_test(what_is_kept_stays_as_it_was),
		cmocka_unit_test(a_reassembled_packet_is_checked_like_any_other),
		cmocka_unit_test(offload_is_asked_of_the_kernel),
		cmocka_unit_test(without_offload_pieces_are_right),
		cmocka_unit_test(random_and_mutated_packets_of_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
