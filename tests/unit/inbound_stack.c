/* inbound/stack: a TCP peer made by hand against the stack, packet by packet. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "inbound/packet.h"
#include "inbound/stack.h"
#include "inbound/tun.h"
#include "loop/loop.h"

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32 };

static struct tun *tun;
static int wire;
static uint64_t seed = 11;

/* ---- the owner of the streams ---- */

static struct stream *stream;
static struct target wanted;
static uint8_t data[1 << 20];
static size_t data_len, take_at_most;
static unsigned streams, fins, rooms, ends;
static enum flow_end end_word;

static uint32_t rnd(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

static size_t on_data(void *owner, const struct slice *v, int n)
{
	size_t taken = 0;

	(void)owner;
	for (int i = 0; i < n && taken < take_at_most; i++) {
		size_t len = v[i].len < take_at_most - taken ? v[i].len : take_at_most - taken;

		if (data_len + len <= sizeof(data))
			memcpy(data + data_len, slice_data(&v[i]), len);
		data_len += len;
		taken += len;
	}
	return taken;
}
static void on_room(void *owner) { (void)owner, rooms++; }
static void on_fin(void *owner) { (void)owner, fins++; }
static void on_ended(void *owner, enum flow_end why) { (void)owner, ends++, end_word = why; }
static const struct stream_events events = { on_data, on_room, on_fin, on_ended };

static void on_stream(void *owner, struct stream *s, const struct addr *client, const struct target *target)
{
	(void)owner, (void)client;
	stream = s;
	wanted = *target;
	streams++;
	stream_bind(s, &events, NULL);
}
static const struct inbound_events inbound = { .stream = on_stream };

static void on_tcp(void *owner, const struct packet *p) { (void)owner, stack_input(p); }
static void on_end(void *owner) { (void)owner, stack_batch_end(); }

static void open_stack(int mtu)
{
	struct tun_handlers h = { .tcp = on_tcp, .batch_end = on_end };
	int fds[2], size = 8 << 20;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	assert_int_equal(loop_init(), 0);
	tun = tun_new(fds[0], (struct tun_features){ 0 }, mtu, &h);
	assert_non_null(tun);
	assert_int_equal(stack_init(tun, &inbound, NULL), 0);
	wire = fds[1];
	stream = NULL;
	data_len = 0;
	take_at_most = SIZE_MAX;
	streams = fins = rooms = ends = 0;
}

static void close_stack(void)
{
	loop_turn();
	stack_free();
	tun_free(tun);
	close(wire);
	assert_int_equal(buf_pool_used(), 0);
	loop_free();
}

static void turn(void)
{
	loop_turn();
	loop_turn();
}

/* ---- the peer ---- */

struct peer {
	struct addr self, target;
	uint32_t seq, ack; /* what we send next, what we expect next */
	uint16_t window;
	uint8_t options[40];
	uint32_t options_len;
};

/* What came from the stack last. */
static uint8_t in_bytes[66000];
static struct packet in;
static struct buf in_buf;
static uint32_t in_seq, in_ack, in_payload;
static uint8_t in_flags;
static uint16_t in_window;

static struct peer peer4(uint16_t port)
{
	struct peer p = { .self = addr_v4((uint8_t[]){ 10, 0, 0, 1 }, port), .target = addr_v4((uint8_t[]){ 1, 2, 3, 4 }, 80),
			  .seq = 5000, .window = 65535 };

	return p;
}

static struct peer peer6(uint16_t port)
{
	struct peer p = { .self = addr_v6((uint8_t[16]){ 0xfd, [15] = 1 }, port),
			  .target = addr_v6((uint8_t[16]){ 0x20, 1, [15] = 9 }, 443), .seq = 5000, .window = 65535 };

	return p;
}

static uint32_t build(const struct peer *p, uint8_t *out, uint8_t flags, const void *payload, uint32_t len)
{
	uint32_t header = 20 + p->options_len, l4 = header + len;
	uint32_t ip = packet_build_ip(out, &p->self, &p->target, IPPROTO_TCP, l4, 64, true);
	uint8_t *h = out + ip;
	uint16_t sum;

	memset(h, 0, 20);
	packet_put16(h, p->self.port);
	packet_put16(h + 2, p->target.port);
	packet_put32(h + 4, p->seq);
	packet_put32(h + 8, flags & ACK ? p->ack : 0);
	h[12] = (uint8_t)(header / 4 << 4);
	h[13] = flags;
	packet_put16(h + 14, p->window);
	memcpy(h + 20, p->options, p->options_len);
	if (len)
		memcpy(h + header, payload, len);
	sum = (uint16_t)~packet_fold(packet_sum(h, l4, packet_pseudo_sum(&p->self, &p->target, IPPROTO_TCP, l4)));
	memcpy(h + 16, &sum, 2);
	return ip + l4;
}

/* Leaves it to the next turn. */
static void send_now(const struct peer *p, uint8_t flags)
{
	uint8_t out[100];
	uint32_t n = build(p, out, flags, NULL, 0);

	assert_int_equal(write(wire, out, n), (ssize_t)n);
}

/* Sends without moving on, so that a test may lie. */
static void send_raw(const struct peer *p, uint8_t flags, const void *payload, uint32_t len)
{
	static uint8_t out[66000];
	uint32_t n = build(p, out, flags, payload, len);

	assert_int_equal(write(wire, out, n), (ssize_t)n);
	turn();
}

static void send_seg(struct peer *p, uint8_t flags, const void *payload, uint32_t len)
{
	send_raw(p, flags, payload, len);
	p->seq += len + (flags & (SYN | FIN) ? 1 : 0);
}

/* The next packet from the stack; false if there is none. */
static bool receive(void)
{
	ssize_t n = read(wire, in_bytes, sizeof(in_bytes));
	const uint8_t *l4;

	if (n < 0)
		return false;
	in_buf = (struct buf){ .refs = 1, .size = sizeof(in_bytes), .data = in_bytes };
	assert_int_equal(packet_parse(&in, (struct slice){ .buf = &in_buf, .len = (uint32_t)n }), 0);
	assert_true(packet_checksum_ok(&in));
	if (in.proto != IPPROTO_TCP)
		return true;
	l4 = packet_l4(&in);
	in_seq = packet_get32(l4 + 4);
	in_ack = packet_get32(l4 + 8);
	in_flags = l4[13];
	in_window = packet_get16(l4 + 14);
	in_payload = packet_l4_len(&in) - (uint32_t)(l4[12] >> 4) * 4;
	return true;
}

static const uint8_t *payload(void)
{
	return packet_l4(&in) + (packet_l4(&in)[12] >> 4) * 4;
}

static void set_options(struct peer *p, const uint8_t *o, uint32_t len)
{
	memcpy(p->options, o, len);
	p->options_len = len;
}

static const uint8_t mss_1460[] = { 2, 4, 0x05, 0xb4 };

/* SYN, SYN-ACK, ACK: an established connection, data wanted. */
static void establish(struct peer *p)
{
	unsigned before = streams;

	if (!p->options_len)
		set_options(p, mss_1460, sizeof(mss_1460));
	send_seg(p, SYN, NULL, 0);
	assert_int_equal(streams, before + 1);
	assert_false(receive()); /* held: not a word */
	stream_accept(stream);
	turn();
	assert_true(receive());
	assert_int_equal(in_flags, SYN | ACK);
	assert_int_equal(in_ack, p->seq);
	p->ack = in_seq + 1;
	p->options_len = 0;
	send_seg(p, ACK, NULL, 0);
	stream_want(stream, true, false);
	turn();
}

static void write_all(const void *bytes, size_t len)
{
	struct buf *b = buf_get((uint32_t)len);
	struct slice s = { .buf = b, .len = (uint32_t)len };

	memcpy(b->data, bytes, len);
	assert_int_equal(stream_write(stream, &s, 1), (ssize_t)len);
	buf_unref(b);
	turn();
}

/* ---- tests ---- */

static void a_syn_is_held_and_the_answer_fits_the_mtu(void **state)
{
	struct peer p;

	(void)state;
	for (int version = 4; version <= 6; version += 2) {
		open_stack(1420);
		p = version == 4 ? peer4(4000) : peer6(4000);
		set_options(&p, (uint8_t[]){ 2, 4, 0xff, 0xd7, 1, 3, 3, 7 }, 8);
		send_raw(&p, SYN, NULL, 0);
		send_raw(&p, SYN, NULL, 0); /* the app's kernel asks again */
		assert_int_equal(streams, 1);
		assert_true(addr_equal(&wanted.ip, &p.target));
		assert_int_equal(stack_counters()->held_syn, 1);
		assert_false(receive());
		stream_accept(stream);
		turn();
		assert_true(receive());
		assert_int_equal(in_flags, SYN | ACK);
		assert_int_equal(packet_l4(&in)[20], 2);
		assert_int_equal(packet_get16(packet_l4(&in) + 22), 1420 - (version == 4 ? 40 : 60));
		assert_int_equal(stack_counters()->held_syn, 0);
		stream_end(stream, END_SHUTDOWN);
		close_stack();
	}
}

static void refusals_are_what_the_network_says(void **state)
{
	static const struct {
		enum flow_end why;
		int v4_type, v4_code, v6_type, v6_code; /* 0: RST */
	} want[] = {
		{ END_REFUSED, 0, 0, 0, 0 },	      { END_UNREACHABLE, 3, 1, 1, 3 }, { END_CONNECT_TIMEOUT, 3, 1, 1, 3 },
		{ END_DENIED, 3, 13, 1, 1 },	      { END_LIMIT, 0, 0, 0, 0 },       { END_NAME, 0, 0, 0, 0 },
		{ END_TRUNCATED, 0, 0, 0, 0 },
	};

	(void)state;
	for (int version = 4; version <= 6; version += 2)
		for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
			struct peer p = version == 4 ? peer4(4000) : peer6(4000);
			int type = version == 4 ? want[i].v4_type : want[i].v6_type;

			open_stack(1500);
			send_seg(&p, SYN, NULL, 0);
			stream_end(stream, want[i].why);
			turn();
			assert_true(receive());
			if (type) {
				assert_int_equal(in.proto, version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
				assert_int_equal(packet_l4(&in)[0], type);
				assert_int_equal(packet_l4(&in)[1], version == 4 ? want[i].v4_code : want[i].v6_code);
			} else {
				assert_int_equal(in_flags, RST | ACK);
				assert_int_equal(in_ack, p.seq);
			}
			assert_false(receive());
			assert_int_equal(stack_counters()->held_syn, 0);
			assert_int_equal(stack_counters()->active, 0);
			assert_int_equal(stack_counters()->refused, 1);
			close_stack();
		}
}

static void an_app_that_gives_up_is_told(void **state)
{
	struct peer p = peer4(4000);

	(void)state;
	open_stack(1500);
	send_seg(&p, SYN, NULL, 0);
	send_seg(&p, RST, NULL, 0);
	turn();
	assert_int_equal(ends, 1);
	assert_int_equal(end_word, END_CLIENT_RESET);
	assert_false(receive());
	stream_end(stream, END_CLIENT_RESET);
	turn();
	assert_int_equal(stack_counters()->active, 0);
	/* another connect from the same port, before the first was answered */
	send_raw(&p, SYN, NULL, 0);
	p.seq += 77777;
	send_raw(&p, SYN, NULL, 0);
	assert_int_equal(ends, 2);
	stream_end(stream, END_CLIENT_RESET);
	turn();
	send_raw(&p, SYN, NULL, 0);
	assert_int_equal(streams, 3);
	stream_end(stream, END_REFUSED);
	close_stack();
}

static void data_goes_both_ways(void **state)
{
	struct peer p = peer6(4000);
	char text[3000];

	(void)state;
	open_stack(1500);
	establish(&p);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	send_seg(&p, ACK | PSH, text, 1400);
	send_seg(&p, ACK | PSH, text + 1400, 1400);
	assert_int_equal(data_len, 2800);
	assert_memory_equal(data, text, 2800);
	assert_true(receive()); /* two full segments: acknowledged */
	assert_int_equal(in_ack, p.seq);
	write_all(text, sizeof(text));
	for (size_t off = 0; off < sizeof(text); off += in_payload) {
		assert_true(receive());
		assert_int_equal(in_seq, p.ack + off);
		assert_in_range(in_payload, 1, 1440);
		assert_memory_equal(payload(), text + off, in_payload);
	}
	p.ack += sizeof(text);
	send_seg(&p, ACK, NULL, 0);
	assert_int_equal(ends, 0);
	stream_end(stream, END_SHUTDOWN);
	turn();
	assert_true(receive());
	assert_true(in_flags & RST);
	assert_int_equal(in_seq, p.ack);
	close_stack();
}

static void half_closes_in_both_orders(void **state)
{
	(void)state;
	for (int app_first = 0; app_first < 2; app_first++) {
		struct peer p = peer4((uint16_t)(4000 + app_first));

		open_stack(1500);
		establish(&p);
		if (app_first) {
			send_seg(&p, FIN | ACK, NULL, 0);
			assert_int_equal(fins, 1);
			assert_true(receive());
			assert_int_equal(in_ack, p.seq);
			write_all("answer", 6);
			assert_true(receive());
			assert_int_equal(in_payload, 6);
			p.ack += 6;
			stream_end(stream, END_DONE);
			turn();
			assert_true(receive());
			assert_true(in_flags & FIN);
			p.ack++;
			send_seg(&p, ACK, NULL, 0);
		} else {
			stream_shut(stream);
			turn();
			assert_true(receive());
			assert_true(in_flags & FIN);
			p.ack++;
			send_seg(&p, ACK, NULL, 0);
			send_seg(&p, ACK | PSH, "more", 4);
			assert_int_equal(data_len, 4);
			send_seg(&p, FIN | ACK, NULL, 0);
			assert_int_equal(fins, 1);
			stream_end(stream, END_DONE);
		}
		turn();
		assert_int_equal(ends, 0);
		assert_int_equal(stack_counters()->active, 0);
		close_stack();
	}
}

static void fin_is_told_after_all_data(void **state)
{
	struct peer p = peer4(4000);

	(void)state;
	open_stack(1500);
	establish(&p);
	take_at_most = 3;
	send_seg(&p, ACK | PSH, "0123456789", 10);
	send_seg(&p, FIN | ACK, NULL, 0);
	assert_int_equal(data_len, 3);
	assert_int_equal(fins, 0);
	turn();
	assert_int_equal(data_len, 3); /* nothing unasked */
	take_at_most = SIZE_MAX;
	stream_want(stream, true, false);
	assert_int_equal(data_len, 3); /* and nothing from inside the call */
	turn();
	assert_int_equal(data_len, 10);
	assert_memory_equal(data, "0123456789", 10);
	assert_int_equal(fins, 1);
	stream_end(stream, END_DONE);
	close_stack();
}

static void only_what_was_taken_opens_the_window(void **state)
{
	struct peer p = peer4(4000);
	static uint8_t chunk[1400];
	uint32_t before, n = 0;

	(void)state;
	open_stack(1500);
	establish(&p);
	stream_want(stream, false, false);
	before = p.seq;
	/* no window scaling was offered: 64 KiB and not a byte more */
	while (p.seq - before + sizeof(chunk) <= 65535) {
		send_seg(&p, ACK, chunk, sizeof(chunk));
		n += sizeof(chunk);
	}
	while (receive())
		;
	assert_in_range(in_window, 0, 1400);
	assert_int_equal(in_ack, p.seq);
	assert_int_equal(data_len, 0);
	stream_want(stream, true, false);
	turn();
	assert_int_equal(data_len, n);
	assert_true(receive()); /* told at once: the app waits for it */
	assert_in_range(in_window, 65000, 65535);
	stream_end(stream, END_SHUTDOWN);
	close_stack();
}

static void a_window_of_one_byte(void **state)
{
	struct peer p = peer4(4000);

	(void)state;
	open_stack(1500);
	p.window = 1;
	establish(&p);
	write_all("hello", 5);
	for (int i = 0; i < 5; i++) {
		assert_true(receive());
		assert_int_equal(in_payload, 1);
		assert_int_equal(*payload(), "hello"[i]);
		assert_false(receive());
		p.ack++;
		send_seg(&p, ACK, NULL, 0);
	}
	stream_end(stream, END_DONE);
	turn();
	assert_true(receive());
	assert_true(in_flags & FIN);
	close_stack();
}

/* Writes 80,000 bytes and FIN into windows of 1500 .. 1500 + spread bytes. */
static void through_windows(uint16_t first, uint32_t spread)
{
	struct peer p = peer4(4000);
	static uint8_t big[80000];
	size_t got = 0;
	bool fin = false;

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7 + (i >> 9));
	open_stack(1500);
	p.window = first;
	establish(&p);
	write_all(big, sizeof(big) / 2);
	write_all(big + sizeof(big) / 2, sizeof(big) / 2);
	stream_end(stream, END_DONE);
	turn();
	for (int round = 0; round < 200 && !fin; round++) {
		while (receive()) {
			if (!in_payload && !(in_flags & FIN))
				continue;
			assert_int_equal(in_seq, p.ack);
			assert_true(got + in_payload <= sizeof(big));
			assert_memory_equal(payload(), big + got, in_payload);
			got += in_payload;
			p.ack += in_payload;
			if (in_flags & FIN) {
				assert_int_equal(got, sizeof(big)); /* not before the last byte */
				p.ack++;
				fin = true;
			}
		}
		p.window = (uint16_t)(1500 + (spread ? rnd() % spread : 0));
		send_seg(&p, ACK, NULL, 0);
	}
	assert_true(fin);
	send_seg(&p, FIN | ACK, NULL, 0);
	turn();
	assert_int_equal(stack_counters()->active, 0);
	close_stack();
}

static void a_super_packet_is_cut_to_the_window_and_nothing_is_lost(void **state)
{
	(void)state;
	through_windows(65535, 0);
	for (int i = 0; i < 20; i++)
		through_windows((uint16_t)(20000 + rnd() % 40000), 10000);
}

static void urgent_data_and_a_load_of_options(void **state)
{
	static const uint8_t all[] = { 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7,
				       254, 6, 1, 2, 3, 4, 34, 2, 1, 1, 19, 8, 0, 0, 0, 0, 0, 0, 1, 0 };
	struct peer p = peer4(4000);

	(void)state;
	open_stack(1500);
	set_options(&p, all, sizeof(all));
	establish(&p);
	set_options(&p, (uint8_t[]){ 8, 10, 1, 2, 3, 5, 0, 0, 0, 0, 1, 1, 254, 4, 9, 9, 1, 0, 0, 0 }, 20);
	send_seg(&p, ACK | URG | PSH, "urgent", 6);
	assert_int_equal(data_len, 6);
	/* an MSS in the middle of a connection means nothing */
	set_options(&p, (uint8_t[]){ 2, 4, 0, 1 }, 4);
	send_seg(&p, ACK, NULL, 0);
	p.options_len = 0;
	while (receive())
		;
	write_all("0123456789", 10);
	assert_true(receive());
	assert_int_equal(in_payload, 10);
	stream_end(stream, END_SHUTDOWN);
	close_stack();
}

static void options_that_end_beyond_the_header(void **state)
{
	static const uint8_t bad[][4] = { { 2, 4, 5, 0xb4 }, { 1, 1, 1, 2 }, { 1, 1, 1, 3 }, { 1, 1, 1, 8 }, { 2, 0, 0, 0 },
					  { 8, 40, 0, 0 }, { 5, 255, 0, 0 }, { 254, 1, 0, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct peer p = peer4((uint16_t)(4000 + i));

		open_stack(1500);
		set_options(&p, bad[i], 4);
		establish(&p);
		send_seg(&p, ACK, "x", 1);
		assert_int_equal(data_len, 1);
		stream_end(stream, END_SHUTDOWN);
		close_stack();
	}
}

static void a_reset_is_told(void **state)
{
	struct peer p = peer4(4000);

	(void)state;
	open_stack(1500);
	establish(&p);
	write_all("unread", 6);
	send_seg(&p, RST, NULL, 0);
	assert_int_equal(ends, 1);
	assert_int_equal(end_word, END_CLIENT_RESET);
	assert_int_equal(stream_write(stream, NULL, 0), -EPIPE);
	stream_end(stream, END_CLIENT_RESET);
	turn();
	assert_int_equal(stack_counters()->active, 0);
	close_stack();
}

static void time_wait_is_reopened_by_a_new_syn(void **state)
{
	struct peer p = peer4(4000);

	(void)state;
	open_stack(1500);
	for (int round = 0; round < 5; round++) {
		if (round)
			p.seq += round & 1 ? 100 : 3000000; /* inside the old window, or far beyond */
		establish(&p);
		stream_end(stream, END_DONE);
		turn();
		assert_true(receive());
		assert_true(in_flags & FIN);
		p.ack++;
		send_seg(&p, FIN | ACK, NULL, 0);
		assert_true(receive());
		assert_int_equal(in_flags, ACK);
		assert_int_equal(stack_counters()->active, 0);
	}
	assert_int_equal(streams, 5);
	close_stack();
}

static void held_syns_are_bounded(void **state)
{
	struct peer p = peer4(1);

	(void)state;
	open_stack(1500);
	for (int i = 0; i < 3000; i++) {
		p.self.port = (uint16_t)(1000 + i);
		send_raw(&p, SYN, NULL, 0);
	}
	/* one host does not get all places */
	assert_int_equal(stack_counters()->held_syn, 1536);
	assert_int_equal(stack_counters()->syn_limit, 3000 - 1536);
	assert_false(receive());
	/* a flood of others: half of the places, if they come but once */
	for (int i = 0; i < 3000; i++) {
		p.self.ip.bytes[3] = (uint8_t)(2 + i % 100);
		p.self.port = (uint16_t)(1000 + i);
		send_raw(&p, SYN, NULL, 0);
	}
	assert_int_equal(stack_counters()->held_syn, 2048);
	/* who means it comes again */
	p.self = peer4(999).self;
	p.self.ip.bytes[3] = 200;
	send_raw(&p, SYN, NULL, 0);
	assert_int_equal(stack_counters()->held_syn, 2048);
	send_raw(&p, SYN, NULL, 0);
	assert_int_equal(stack_counters()->held_syn, 2049);
	/* and that has an end too */
	for (int i = 0; i < 12000; i++) {
		p.self.ip.bytes[2] = 1;
		p.self.ip.bytes[3] = (uint8_t)(2 + i / 2 % 100);
		p.self.port = (uint16_t)(1000 + i / 2);
		send_raw(&p, SYN, NULL, 0);
	}
	assert_int_equal(stack_counters()->held_syn, 4096);
	close_stack();
}

static void unanswered_syn_acks_are_bounded(void **state)
{
	struct peer p = peer4(1);

	(void)state;
	open_stack(1500);
	for (int i = 0; i < 5000; i++) {
		p.self.ip.bytes[3] = (uint8_t)(2 + i % 100);
		p.self.port = (uint16_t)(1000 + i);
		send_raw(&p, SYN, NULL, 0);
		if (streams > (unsigned)i - stack_counters()->syn_limit)
			stream_accept(stream);
		turn();
		while (receive())
			;
	}
	/* they hold no more than their half; on a slow machine some gave way already, and were told */
	assert_in_range(stack_counters()->active - (unsigned)ends, 2048, 3000);
	usleep(250 * 1000);
	loop_turn();
	/* the oldest is reset, and should give way, in one batch */
	p = peer4(1000);
	p.self.ip.bytes[3] = 2;
	p.seq++;
	send_now(&p, RST);
	p = peer4(4241);
	p.self.ip.bytes[3] = 251;
	send_raw(&p, SYN, NULL, 0);
	/* now the oldest does, and a newcomer is not kept waiting */
	p = peer4(4242);
	p.self.ip.bytes[3] = 250;
	establish(&p);
	stream_end(stream, END_SHUTDOWN);
	close_stack();
}

static void strangers_get_a_reset_and_nonsense_nothing(void **state)
{
	struct peer p = peer4(4000);

	(void)state;
	open_stack(1500);
	p.ack = 12345;
	send_raw(&p, ACK, NULL, 0);
	assert_true(receive());
	assert_true(in_flags & RST);
	assert_int_equal(in_seq, 12345);
	send_raw(&p, RST, NULL, 0);
	send_raw(&p, SYN | FIN, NULL, 0);
	p.target = addr_v4((uint8_t[]){ 224, 0, 0, 1 }, 80);
	send_raw(&p, SYN, NULL, 0);
	p.target = addr_v4((uint8_t[]){ 255, 255, 255, 255 }, 80);
	send_raw(&p, SYN, NULL, 0);
	p = peer4(0);
	send_raw(&p, SYN, NULL, 0);
	assert_false(receive());
	assert_int_equal(streams, 0);
	close_stack();
}

/* Everything at once: right packets of a few connections, changed at random. */
static void mutated_segments_harm_nobody(void **state)
{
	static uint8_t out[66000], fill[4000];

	(void)state;
	open_stack(1500);
	for (int round = 0; round < 60000; round++) {
		struct peer p = rnd() % 2 ? peer4((uint16_t)(1 + rnd() % 4)) : peer6((uint16_t)(1 + rnd() % 4));
		uint8_t flags = rnd() % 3 ? ACK : (uint8_t)(rnd() & 63);
		uint32_t n, l4;
		uint16_t sum;

		p.seq = 5000 + rnd() % 3000;
		p.ack = in_seq + rnd() % 3;
		p.window = (uint16_t)(rnd() % 5 ? rnd() : 0);
		p.options_len = rnd() % 11 * 4;
		for (uint32_t i = 0; i < p.options_len; i++)
			p.options[i] = (uint8_t)(rnd() % 3 ? rnd() % 12 : rnd());
		n = build(&p, out, flags, fill, rnd() % 3 ? 0 : rnd() % sizeof(fill));
		/* the transport header at random, with a right checksum again */
		l4 = p.self.family == AF_INET ? 20 : 40;
		if (rnd() % 4 == 0)
			out[l4 + 4 + rnd() % (n - l4 - 4)] = (uint8_t)rnd();
		if (out[l4 + 12] >> 4 < 5)
			out[l4 + 12] |= 0x50;
		memset(out + l4 + 16, 0, 2);
		sum = (uint16_t)~packet_fold(packet_sum(out + l4, n - l4, packet_pseudo_sum(&p.self, &p.target, IPPROTO_TCP, n - l4)));
		memcpy(out + l4 + 16, &sum, 2);
		assert_int_equal(write(wire, out, n), (ssize_t)n);
		if (round % 4 == 0)
			loop_turn();
		if (stream && rnd() % 20 == 0) {
			switch (rnd() % 6) {
			case 0: stream_accept(stream); break;
			case 1: stream_want(stream, true, true); break;
			case 2: stream_shut(stream); break;
			case 3: {
				struct buf *b = buf_get(BUF_SMALL);
				struct slice s = { .buf = b, .len = 1 + rnd() % 2000 };

				memset(b->data, 'x', BUF_SMALL);
				stream_write(stream, &s, 1);
				buf_unref(b);
				break;
			}
			case 4: take_at_most = rnd() % 2 ? SIZE_MAX : rnd() % 2000; break;
			default:
				stream_end(stream, rnd() % 2 ? END_DONE : END_REFUSED);
				stream = NULL; /* the rest of them stay open: as with a slow owner */
			}
		}
		while (receive())
			;
	}
	assert_true(streams > 20);
	close_stack();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_syn_is_held_and_the_answer_fits_the_mtu),
		cmocka_unit_test(refusals_are_what_the_network_says),
		cmocka_unit_test(an_app_that_gives_up_is_told),
		cmocka_unit_test(data_goes_both_ways),
		cmocka_unit_test(half_closes_in_both_orders),
		cmocka_unit_test(fin_is_told_after_all_data),
		cmocka_unit_test(only_what_was_taken_opens_the_window),
		cmocka_unit_test(a_window_of_one_byte),
		cmocka_unit_test(a_super_packet_is_cut_to_the_window_and_nothing_is_lost),
		cmocka_unit_test(urgent_data_and_a_load_of_options),
		cmocka_unit_test(options_that_end_beyond_the_header),
		cmocka_unit_test(a_reset_is_told),
		cmocka_unit_test(time_wait_is_reopened_by_a_new_syn),
		cmocka_unit_test(held_syns_are_bounded),
		cmocka_unit_test(unanswered_syn_acks_are_bounded),
		cmocka_unit_test(strangers_get_a_reset_and_nonsense_nothing),
		cmocka_unit_test(mutated_segments_harm_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
