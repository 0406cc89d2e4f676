/*
 * A TUN with several queues, in a network namespace of the test's own: the
 * program in the kernel and steering_queue() say the same of every packet, and
 * what they say is fair.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "in_child.h"
#include "inbound/packet.h"
#include "sys/netlink.h"
#include "sys/steering.h"
#include "sys/tundev.h"

#define NAME "steer0"
#define QUEUES 4
#define TUPLES 4000

static int queues[QUEUES], packets = -1, ifindex;
static struct tun_features features;
static char why[256];
static uint64_t seed = 11;

static uint32_t rnd(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

static struct addr random_addr(int version)
{
	uint8_t ip[16];

	for (int i = 0; i < 16; i++)
		ip[i] = (uint8_t)rnd();
	ip[0] = version == 4 ? 10 : 0xfd;
	return version == 4 ? addr_v4(ip, (uint16_t)rnd()) : addr_v6(ip, (uint16_t)rnd());
}

/* ---- the device ---- */

static int close_queues(void **state)
{
	(void)state;
	for (int i = 0; i < QUEUES; i++)
		if (queues[i] >= 0)
			close(queues[i]);
	if (packets >= 0)
		close(packets);
	memset(queues, 0xff, sizeof(queues));
	packets = -1;
	return 0;
}

static void bring_up(void)
{
	struct netlink n;
	struct addr self = addr_v4((uint8_t[]){ 10, 99, 0, 1 }, 0);

	ifindex = (int)if_nametoindex(NAME);
	assert_int_equal(netlink_open(&n), 0);
	assert_int_equal(netlink_add_addr(&n, ifindex, &self, 24), 0);
	assert_int_equal(netlink_set_link(&n, ifindex, &(struct netlink_link){ .up = true }), 0);
	netlink_close(&n);
}

/* Skips where this machine lets nobody make one. */
static void open_queues(void)
{
	int err = unshare(CLONE_NEWNET) < 0 ? -errno : 0;

	if (!err)
		err = tundev_open_queues(NAME, 1500, QUEUES, queues, &features, why, sizeof(why));
	if (err == -EPERM || err == -ENOENT || err == -EACCES || err == -ENODEV || err == -ENXIO) {
		memset(queues, 0xff, sizeof(queues));
		skip();
	}
	assert_int_equal(err, 0);
	err = steering_attach(queues[0], why, sizeof(why));
	if (err == -EPERM)
		skip();
	assert_int_equal(err, 0);
	bring_up();
	packets = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(packets >= 0);
}

static void send_raw(const uint8_t *packet, size_t len)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = ifindex };

	to.sll_protocol = htons(packet[0] >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6);
	assert_int_equal(sendto(packets, packet, len, 0, (struct sockaddr *)&to, sizeof(to)), len);
}

/* One packet of a queue, without what stands before it; 0: none. */
static size_t read_queue(int q, uint8_t *out, size_t size)
{
	uint8_t in[65536 + 16];
	size_t front = features.vnet_hdr ? 10 : 0;
	ssize_t n = read(queues[q], in, sizeof(in));

	if (n <= (ssize_t)front)
		return 0;
	assert_true((size_t)n - front <= size);
	memcpy(out, in + front, (size_t)n - front);
	return (size_t)n - front;
}

/* The queue that this very packet comes to; the kernel's own chatter on a new link is passed over. */
static int queue_of(const uint8_t *packet, size_t len)
{
	struct pollfd p[QUEUES];
	uint8_t got[65536];

	for (int i = 0; i < QUEUES; i++)
		p[i] = (struct pollfd){ .fd = queues[i], .events = POLLIN };
	while (poll(p, QUEUES, 5000) > 0)
		for (int i = 0; i < QUEUES; i++)
			if (p[i].revents && read_queue(i, got, sizeof(got)) == len && memcmp(got, packet, len) == 0)
				return i;
	return -1;
}

static int steered(const uint8_t *packet, size_t len)
{
	send_raw(packet, len);
	return queue_of(packet, len);
}

/* ---- packets ---- */

static size_t make(uint8_t *out, uint8_t proto, const struct addr *src, const struct addr *dst)
{
	size_t ip = packet_build_ip(out, src, dst, proto, 32, 64, false);

	memset(out + ip, 0, 32);
	packet_put16(out + ip, src->port);
	packet_put16(out + ip + 2, dst->port);
	out[ip + 12] = 0x80;
	return ip + 32;
}

static void fix_ip4_sum(uint8_t *packet, size_t header)
{
	uint16_t sum;

	packet[10] = packet[11] = 0;
	sum = (uint16_t)~packet_fold(packet_sum(packet, header, 0));
	memcpy(packet + 10, &sum, 2);
}

/* Puts one extension header of 8 bytes into an IPv6 packet. */
static size_t extend(uint8_t *packet, size_t len, uint8_t type)
{
	memmove(packet + 48, packet + 40, len - 40);
	memset(packet + 40, 0, 8);
	packet[40] = packet[6];
	packet[6] = type;
	if (type == IPPROTO_HOPOPTS)
		memcpy(packet + 42, (uint8_t[]){ 1, 4 }, 2); /* PadN of the rest */
	packet_put16(packet + 4, len + 8 - 40);
	return len + 8;
}

/* ---- what holds ---- */

static void each_flow_has_its_queue(void **state)
{
	static const struct {
		int version;
		uint8_t proto;
	} kinds[] = { { 4, IPPROTO_UDP }, { 4, IPPROTO_TCP }, { 6, IPPROTO_UDP }, { 6, IPPROTO_TCP } };

	(void)state;
	open_queues();
	for (size_t k = 0; k < 4; k++) {
		unsigned got[QUEUES] = { 0 };

		for (int i = 0; i < TUPLES; i++) {
			struct addr src = random_addr(kinds[k].version), dst = random_addr(kinds[k].version);
			uint8_t packet[128];
			size_t len = make(packet, kinds[k].proto, &src, &dst);
			int q = steered(packet, len);

			assert_int_equal(q, steering_queue(kinds[k].proto, &src, &dst, QUEUES));
			got[q]++;
		}
		for (int q = 0; q < QUEUES; q++)
			assert_in_range(got[q], TUPLES / QUEUES * 85 / 100, TUPLES / QUEUES * 115 / 100);
	}
}

/* A client's ports and addresses come one after the other: these spread, too. */
static void neighbours_spread(void **state)
{
	struct addr dst = addr_v4((uint8_t[]){ 1, 1, 1, 1 }, 443);

	(void)state;
	for (uint32_t n = 2; n <= 8; n++) {
		unsigned ports[8] = { 0 }, hosts[8] = { 0 };

		for (unsigned i = 0; i < 4000; i++) {
			struct addr app = addr_v4((uint8_t[]){ 10, 0, 0, 7 }, (uint16_t)(32768 + i));
			struct addr host = addr_v4((uint8_t[]){ 192, 168, (uint8_t)(i >> 8), (uint8_t)i }, 5353);

			ports[steering_queue(IPPROTO_TCP, &app, &dst, n)]++;
			hosts[steering_queue(IPPROTO_UDP, &host, &dst, n)]++;
		}
		for (uint32_t q = 0; q < n; q++) {
			assert_in_range(ports[q], 4000 / n * 80 / 100, 4000 / n * 120 / 100);
			assert_in_range(hosts[q], 4000 / n * 80 / 100, 4000 / n * 120 / 100);
		}
	}
}

static void udp_of_one_source_has_one_queue(void **state)
{
	(void)state;
	open_queues();
	for (int i = 0; i < 50; i++) {
		int version = i % 2 ? 4 : 6, first = -1;
		struct addr src = random_addr(version);

		for (int k = 0; k < 20; k++) {
			struct addr dst = random_addr(version);
			uint8_t packet[128];
			size_t len = make(packet, IPPROTO_UDP, &src, &dst);
			int q = steered(packet, len);

			assert_true(q >= 0 && (first < 0 || q == first));
			first = q;
		}
	}
}

/* A flow that belongs elsewhere than to queue 0. */
static void elsewhere(int version, uint8_t proto, struct addr *src, struct addr *dst)
{
	do {
		*src = random_addr(version);
		*dst = random_addr(version);
	} while (steering_queue(proto, src, dst, QUEUES) == 0);
}

static void fragments_come_to_queue_0(void **state)
{
	struct addr src, dst;
	uint8_t packet[128];
	size_t len;

	(void)state;
	open_queues();
	for (unsigned frag = 0; frag < 3; frag++) {
		static const uint16_t field[] = { 0x2000, 0x20b9, 0x00b9 }; /* first, middle, last */

		elsewhere(4, IPPROTO_UDP, &src, &dst);
		len = make(packet, IPPROTO_UDP, &src, &dst);
		packet_put16(packet + 6, field[frag]);
		fix_ip4_sum(packet, 20);
		assert_int_equal(steered(packet, len), 0);
		elsewhere(6, IPPROTO_UDP, &src, &dst);
		len = extend(packet, make(packet, IPPROTO_UDP, &src, &dst), IPPROTO_FRAGMENT);
		packet_put16(packet + 42, frag * 8);
		assert_int_equal(steered(packet, len), 0);
	}
	elsewhere(6, IPPROTO_TCP, &src, &dst);
	len = extend(packet, make(packet, IPPROTO_TCP, &src, &dst), IPPROTO_HOPOPTS);
	assert_int_equal(steered(packet, len), 0);
	for (int i = 0; i < 20; i++) {
		src = random_addr(4), dst = random_addr(4);
		len = make(packet, IPPROTO_ICMP, &src, &dst);
		assert_int_equal(steered(packet, len), 0);
	}
}

static void ip_options_do_not_matter(void **state)
{
	struct addr src, dst;
	uint8_t packet[128];
	size_t len;

	(void)state;
	open_queues();
	for (int i = 0; i < 50; i++) {
		elsewhere(4, IPPROTO_UDP, &src, &dst);
		len = make(packet, IPPROTO_UDP, &src, &dst) + 8;
		memmove(packet + 28, packet + 20, len - 28);
		memset(packet + 20, 1, 8); /* no operation */
		packet[0] = 0x47;
		packet_put16(packet + 2, len);
		fix_ip4_sum(packet, 28);
		assert_int_equal(steered(packet, len), steering_queue(IPPROTO_UDP, &src, &dst, QUEUES));
	}
}

/* Cut short in the middle of a header: no queue but 0, and nothing worse. */
static void cut_packets_come_to_queue_0(void **state)
{
	struct addr src, dst;
	uint8_t packet[128];

	(void)state;
	open_queues();
	for (int version = 4; version <= 6; version += 2) {
		elsewhere(version, IPPROTO_TCP, &src, &dst);
		make(packet, IPPROTO_TCP, &src, &dst);
		for (size_t len = version == 4 ? 20 : 40; len < (version == 4 ? 23u : 43u); len++)
			assert_int_equal(steered(packet, len), 0);
	}
}

/* As an app sends: its small datagrams by its port, its large ones, in fragments, to queue 0. */
static void sockets_are_steered(void **state)
{
	struct sockaddr_in self = { .sin_family = AF_INET, .sin_addr = { htonl(0x0a630001) } }, to = self;
	uint8_t payload[8192] = { 0 }, got[65536];

	(void)state;
	open_queues();
	to.sin_addr.s_addr = htonl(0x0a630002);
	to.sin_port = htons(9);
	for (int i = 0; i < 40; i++) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);
		struct addr src, dst = addr_from_sockaddr((struct sockaddr *)&to);
		struct pollfd p = { .events = POLLIN };

		assert_int_equal(bind(fd, (struct sockaddr *)&self, sizeof(self)), 0);
		src = addr_of_socket(fd);
		for (int k = 0; k < 2; k++) {
			p.fd = queues[k ? 0 : (int)steering_queue(IPPROTO_UDP, &src, &dst, QUEUES)];
			assert_int_equal(sendto(fd, payload, k ? 8192 : 100, 0, (struct sockaddr *)&to, sizeof(to)), k ? 8192 : 100);
			for (int parts = 0; parts < (k ? 6 : 1);) {
				assert_int_equal(poll(&p, 1, 5000), 1);
				for (int q = 0; q < QUEUES; q++)
					if (queues[q] == p.fd && read_queue(q, got, sizeof(got)) && got[0] == 0x45 && got[9] == IPPROTO_UDP)
						parts++;
			}
		}
		close(fd);
	}
}

/* The queue of a worker that is gone: what others get does not suffer. */
static void queue_without_reader_harms_no_other(void **state)
{
	struct addr dst = random_addr(4), mute, other;
	uint8_t packet[128], got[65536];
	size_t len;

	(void)state;
	open_queues();
	do
		mute = random_addr(4);
	while (steering_queue(IPPROTO_UDP, &mute, &dst, QUEUES) != 1);
	do
		other = random_addr(4);
	while (steering_queue(IPPROTO_UDP, &other, &dst, QUEUES) != 2);
	for (uint32_t i = 0; i < 20000; i++) {
		struct pollfd p = { .fd = queues[2], .events = POLLIN };
		struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = ifindex, .sll_protocol = htons(ETH_P_IP) };

		len = make(packet, IPPROTO_UDP, &mute, &dst);
		if (sendto(packets, packet, len, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to)) < 0)
			assert_true(errno == ENOBUFS || errno == EAGAIN);
		if (i % 100)
			continue;
		len = make(packet, IPPROTO_UDP, &other, &dst);
		packet_put16(packet + len - 2, i);
		send_raw(packet, len);
		do
			assert_int_equal(poll(&p, 1, 5000), 1);
		while (read_queue(2, got, sizeof(got)) != len || memcmp(got, packet, len) != 0);
	}
}

static void device_that_is_there_is_not_joined(void **state)
{
	struct tun_features f;
	int fds[2];

	(void)state;
	open_queues();
	assert_int_equal(tundev_open_queues(NAME, 1500, 2, fds, &f, why, sizeof(why)), -EBUSY);
	assert_non_null(strstr(why, "ip link del " NAME));
	assert_int_equal(tundev_open_queues("steer1", 1500, TUNDEV_QUEUES_MAX + 1, fds, &f, why, sizeof(why)), -ERANGE);
	/* All queues have what the first has probed; one queue is what it always was. */
	assert_int_equal(tundev_open_queues("steer1", 1400, 2, fds, &f, why, sizeof(why)), 0);
	assert_memory_equal(&f, &features, sizeof(f));
	close(fds[0]);
	assert_int_not_equal(if_nametoindex("steer1"), 0);
	close(fds[1]);
	assert_int_equal(if_nametoindex("steer1"), 0);
}

static void attach_without_rights(void)
{
	cap_t none = cap_init();
	char text[256] = "";
	int err;

	cap_set_proc(none);
	cap_free(none);
	err = steering_attach(queues[0], text, sizeof(text));
	_exit(err == 0 ? 77 : err == -EPERM && strstr(text, "CAP_BPF") ? 0 : 1);
}

static void refusal_is_told(void **state)
{
	(void)state;
	open_queues();
	passes(attach_without_rights);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(each_flow_has_its_queue, close_queues),
		cmocka_unit_test(neighbours_spread),
		cmocka_unit_test_teardown(udp_of_one_source_has_one_queue, close_queues),
		cmocka_unit_test_teardown(fragments_come_to_queue_0, close_queues),
		cmocka_unit_test_teardown(ip_options_do_not_matter, close_queues),
		cmocka_unit_test_teardown(cut_packets_come_to_queue_0, close_queues),
		cmocka_unit_test_teardown(sockets_are_steered, close_queues),
		cmocka_unit_test_teardown(queue_without_reader_harms_no_other, close_queues),
		cmocka_unit_test_teardown(device_that_is_there_is_not_joined, close_queues),
		cmocka_unit_test_teardown(refusal_is_told, close_queues),
	};

	memset(queues, 0xff, sizeof(queues));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
