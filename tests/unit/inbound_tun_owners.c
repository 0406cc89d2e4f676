/*
 * Datagrams in fragments, of a TUN that several workers share: what worker 0
 * puts together comes to the handlers of the worker that has the flow, whole,
 * once, and with the end of a batch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "inbound/packet.h"
#include "inbound/reassembly.h"
#include "inbound/tun.h"
#include "inbound/tun_owners.h"
#include "loop/loop.h"
#include "sys/steering.h"

#define WORKERS 3
#define PAYLOAD 8192

static struct tun *tun;
static struct reassembly *parts;
static struct tun_owners *owners;
static int wire;
static unsigned udp, tcp, batches;
static uint8_t whole[PAYLOAD + 8];
static struct addr seen_src;
static uint16_t seen_gso;
static bool seen_right;

static void on_udp(void *owner, const struct packet *p)
{
	(void)owner;
	udp++;
	seen_src = p->src;
	seen_right = packet_l4_len(p) == sizeof(whole) && memcmp(packet_l4(p) + 8, whole + 8, PAYLOAD) == 0;
}
static void on_tcp(void *owner, const struct packet *p)
{
	(void)owner;
	tcp++;
	seen_gso = p->gso_size;
}
static void on_fragment(void *owner, const struct packet *p)
{
	(void)owner;
	reassembly_input(parts, p);
}
static void on_batch_end(void *owner)
{
	(void)owner;
	batches++;
}

static int set_up(void **state)
{
	struct tun_handlers h = { .tcp = on_tcp, .udp = on_udp, .fragment = on_fragment, .batch_end = on_batch_end };
	int fds[2];

	(void)state;
	if (loop_init() < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	tun = tun_new(fds[0], (struct tun_features){ .vnet_hdr = true }, 1500, &h);
	parts = reassembly_new(tun);
	owners = tun_owners_new(WORKERS);
	wire = fds[1];
	udp = tcp = batches = 0;
	seen_right = false;
	return tun && parts && owners ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	tun_owners_leave(owners);
	tun_owners_free(owners);
	reassembly_free(parts);
	tun_free(tun);
	close(wire);
	loop_free();
	return 0;
}

static void be(int worker)
{
	tun_owners_leave(owners);
	assert_int_equal(tun_owners_join(owners, worker, tun), 0);
}

static void turns(int n)
{
	while (n--)
		loop_turn();
}

/* A source whose flows belong to this worker. */
static struct addr source_of(int version, uint8_t proto, const struct addr *dst, int worker)
{
	struct addr a = version == 4 ? addr_v4((uint8_t[]){ 10, 0, 0, 1 }, 1024) : addr_v6((uint8_t[16]){ 0xfd, [15] = 1 }, 1024);

	while (steering_queue(proto, &a, dst, WORKERS) != (uint32_t)worker)
		a.port++;
	return a;
}

static struct addr some_target(int version)
{
	return version == 4 ? addr_v4((uint8_t[]){ 1, 2, 3, 4 }, 443) : addr_v6((uint8_t[16]){ 0x20, 1, [15] = 9 }, 443);
}

static void put(const struct virtio_net_hdr *v, const uint8_t *packet, size_t len)
{
	uint8_t out[2048];

	memcpy(out, v, sizeof(*v));
	memcpy(out + sizeof(*v), packet, len);
	assert_int_equal(send(wire, out, sizeof(*v) + len, 0), sizeof(*v) + len);
}

static void fill_datagram(const struct addr *src, const struct addr *dst)
{
	uint16_t sum;

	for (size_t i = 0; i < sizeof(whole); i++)
		whole[i] = (uint8_t)(i * 7 + (i >> 8));
	packet_put16(whole, src->port);
	packet_put16(whole + 2, dst->port);
	packet_put16(whole + 4, sizeof(whole));
	packet_put16(whole + 6, 0);
	sum = (uint16_t)~packet_fold(packet_sum(whole, sizeof(whole), packet_pseudo_sum(src, dst, IPPROTO_UDP, sizeof(whole))));
	memcpy(whole + 6, &sum, 2);
}

/* One fragment's headers; returns their size. */
static size_t fragment_header(uint8_t *out, const struct addr *src, const struct addr *dst, size_t off, size_t len, bool more)
{
	uint16_t sum;

	if (src->family == AF_INET6) {
		packet_build_ip(out, src, dst, IPPROTO_FRAGMENT, (uint32_t)len + 8, 64, false);
		memcpy(out + 40, (uint8_t[8]){ IPPROTO_UDP, [7] = 77 }, 8);
		packet_put16(out + 42, (uint32_t)off | more);
		return 48;
	}
	packet_build_ip(out, src, dst, IPPROTO_UDP, (uint32_t)len, 64, false);
	packet_put16(out + 4, 77);
	packet_put16(out + 6, (more ? 0x2000u : 0) | (uint32_t)off / 8);
	packet_put16(out + 10, 0);
	sum = (uint16_t)~packet_fold(packet_sum(out, 20, 0));
	memcpy(out + 10, &sum, 2);
	return 20;
}

static void put_in_fragments(const struct addr *src, const struct addr *dst)
{
	struct virtio_net_hdr none = { 0 };

	fill_datagram(src, dst);
	for (size_t off = 0; off < sizeof(whole);) {
		size_t len = sizeof(whole) - off < 1432 ? sizeof(whole) - off : 1432, head;
		uint8_t packet[1500];

		head = fragment_header(packet, src, dst, off, len, off + len < sizeof(whole));
		memcpy(packet + head, whole + off, len);
		put(&none, packet, head + len);
		off += len;
	}
}

static void owner_gets_the_whole_datagram(void **state)
{
	(void)state;
	for (int version = 4; version <= 6; version += 2) {
		struct addr dst = some_target(version), src = source_of(version, IPPROTO_UDP, &dst, 2);

		udp = 0;
		be(0);
		put_in_fragments(&src, &dst);
		turns(4);
		assert_int_equal(udp, 0);
		be(1);
		turns(4);
		assert_int_equal(udp, 0);
		be(2);
		batches = 0;
		turns(4);
		assert_int_equal(udp, 1);
		assert_int_equal(batches, 1);
		assert_true(seen_right && addr_equal(&seen_src, &src));
	}
}

static void own_datagram_stays(void **state)
{
	struct addr dst = some_target(4), src = source_of(4, IPPROTO_UDP, &dst, 0);

	(void)state;
	be(0);
	put_in_fragments(&src, &dst);
	turns(4);
	assert_int_equal(udp, 1);
	assert_true(seen_right);
}

/* Who reads queue 0 alone, without others, keeps all. */
static void without_workers_all_is_ours(void **state)
{
	struct addr dst = some_target(6), src = source_of(6, IPPROTO_UDP, &dst, 1);

	(void)state;
	put_in_fragments(&src, &dst);
	turns(4);
	assert_int_equal(udp, 1);
}

static void dead_owner_reads_on_in_its_next_life(void **state)
{
	struct addr dst = some_target(4), src = source_of(4, IPPROTO_UDP, &dst, 1);

	(void)state;
	be(1);
	be(0);
	for (int i = 0; i < 3; i++) {
		put_in_fragments(&src, &dst);
		turns(4);
	}
	be(1);
	turns(4);
	assert_int_equal(udp, 3);
}

/* A full inbox loses datagrams, and nobody waits or breaks. */
static void busy_owner_is_not_waited_for(void **state)
{
	struct addr dst = some_target(4), src = source_of(4, IPPROTO_UDP, &dst, 1);

	(void)state;
	be(0);
	for (int i = 0; i < 3000; i++) {
		put_in_fragments(&src, &dst);
		turns(1);
	}
	turns(2);
	be(1);
	turns(200);
	assert_in_range(udp, 100, 2999);
}

/* A TCP super-packet behind an extension header: with its segment size, and no sum made yet. */
static void extension_headers_are_handed_over(void **state)
{
	struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV6, .gso_size = 500 };
	struct addr dst = some_target(6), src = source_of(6, IPPROTO_TCP, &dst, 2);
	uint8_t packet[1500] = { 0 };

	(void)state;
	packet_build_ip(packet, &src, &dst, IPPROTO_DSTOPTS, 8 + 20 + 1000, 64, false);
	packet[40] = IPPROTO_TCP;
	memcpy(packet + 42, (uint8_t[]){ 1, 4 }, 2);
	packet_put16(packet + 48, src.port);
	packet_put16(packet + 50, dst.port);
	packet[48 + 12] = 0x50;
	packet[48 + 13] = 0x10;
	be(0);
	put(&v, packet, 48 + 20 + 1000);
	turns(2);
	assert_int_equal(tcp, 0);
	be(2);
	turns(2);
	assert_int_equal(tcp, 1);
	assert_int_equal(seen_gso, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(owner_gets_the_whole_datagram, set_up, tear_down),
		cmocka_unit_test_setup_teardown(own_datagram_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_workers_all_is_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(dead_owner_reads_on_in_its_next_life, set_up, tear_down),
		cmocka_unit_test_setup_teardown(busy_owner_is_not_waited_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(extension_headers_are_handed_over, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
