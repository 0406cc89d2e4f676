/*
 * The whole near end of a TUN: the device's reader, lwIP and its glue, UDP, ICMP and reassembly, over a
 * socket pair. The input is a program of steps (enum step): packets as an application or a LAN could
 * send them, bent or not, in the order and at the time they like, and what an owner of streams and
 * datagrams may do meanwhile. Time is the input's as well.
 *
 * What must hold: every packet that comes out is whole, with right checksums; and when all is closed no
 * buffer is left.
 */
#include "clock.h"
#include "fuzz.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inbound/icmp.h"
#include "inbound/inbound.h"
#include "inbound/packet.h"
#include "inbound/reassembly.h"
#include "inbound/stack.h"
#include "inbound/tun.h"
#include "inbound/tun_udp.h"
#include "io/datagram.h"
#include "loop/loop.h"

enum step { RAW, SEGMENT, OPEN, DATAGRAM, FRAGMENT, IN_PARTS, PING, WAIT, STREAM_DOES, TURN, ANSWER, REFUSE, MTU, PATH, STEPS };
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

#define PEERS 4
#define STREAMS 16
#define STEPS_MAX 400
#define VNET_HDR ((uint32_t)sizeof(struct virtio_net_hdr))

/* ---- what is fuzzed ---- */

static struct tun *tun;
static struct tun_udp *udp;
static struct reassembly *parts;
static int wire;
static struct tun_features features;

/* An application's end of a connection: what the stack said last. */
struct peer {
	struct addr self, target;
	uint32_t seq, ack;
};
static struct peer peers[PEERS];

static void on_tcp(void *owner, const struct packet *p) { (void)owner, stack_input(p); }
static void on_udp(void *owner, const struct packet *p) { (void)owner, tun_udp_input(udp, p); }
static void on_fragment(void *owner, const struct packet *p) { (void)owner, reassembly_input(parts, p); }
static void on_icmp(void *owner, const struct packet *p) { icmp_input(tun, p, *(const enum icmp_others *)owner); }

static void on_batch_end(void *owner)
{
	(void)owner;
	stack_batch_end();
	tun_udp_batch_end(udp);
}

/* ---- the owner of streams and datagrams ---- */

static struct owned {
	struct stream *stream;
	size_t takes; /* of what is offered next */
} owned[STREAMS];
static struct datagram last; /* that came up, without its payload */
static struct target last_remote;
static bool has_last;

static size_t on_data(void *owner, const struct slice *v, int n)
{
	struct owned *o = owner;
	size_t len = slices_len(v, n), taken = o->takes < len ? o->takes : len;

	must(len > 0);
	for (int i = 0; i < n; i++)
		memset(slice_data(&v[i]), 'x', v[i].len < taken ? v[i].len : taken); /* what is taken may be overwritten */
	return taken;
}

static void on_room(void *owner) { (void)owner; }

static void on_fin(void *owner)
{
	struct owned *o = owner;

	if (o->takes & 1)
		stream_shut(o->stream);
}

static void on_ended(void *owner, enum flow_end why)
{
	struct owned *o = owner;

	stream_end(o->stream, why);
	o->stream = NULL;
}

static const struct stream_events stream_events = { on_data, on_room, on_fin, on_ended };

static void on_stream(void *owner, struct stream *s, const struct addr *client, const struct target *target)
{
	(void)owner, (void)client, (void)target;
	for (int i = 0; i < STREAMS; i++)
		if (!owned[i].stream) {
			owned[i] = (struct owned){ s, 70000 };
			stream_bind(s, &stream_events, &owned[i]);
			return;
		}
	stream_bind(s, &stream_events, NULL);
	stream_end(s, END_LIMIT);
}

static const struct inbound_events inbound_events = { .stream = on_stream };

static void on_datagrams(void *owner, const struct datagram *d, int n)
{
	(void)owner;
	must(n > 0 && n <= DATAGRAM_BATCH);
	for (int i = 0; i < n; i++)
		must(d[i].payload.len <= 65535 && (!d[i].segment || d[i].payload.len));
	last = d[n - 1];
	last_remote = *last.remote;
	last.remote = &last_remote;
	last.local = NULL;
	has_last = true;
}

static const struct datagram_events datagram_events = { .receive = on_datagrams };

/* ---- life ---- */

static void begin(uint8_t choice)
{
	static enum icmp_others others;
	struct tun_handlers h = { on_tcp, on_udp, on_icmp, on_fragment, on_batch_end, &others };
	int fds[2], size = 4 << 20;

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	others = choice % 3;
	features = (struct tun_features){ .vnet_hdr = choice & 4, .uso = choice & 8 && choice & 4 };
	must(loop_init() == 0);
	tun = tun_new(fds[0], features, choice & 16 ? 1280 : 1500, &h);
	must(tun && stack_init(tun, &inbound_events, NULL) == 0);
	udp = tun_udp_new(tun, choice & 32 ? 1300 : 60000);
	parts = reassembly_new(tun);
	must(udp && parts);
	datagram_bind(tun_udp_port(udp), &datagram_events, NULL);
	wire = fds[1];
	has_last = false;
	for (int i = 0; i < PEERS; i++) {
		peers[i] = (struct peer){ .seq = 5000 };
		peers[i].self = i & 1 ? addr_v6((uint8_t[16]){ 0xfd, [15] = 1 }, (uint16_t)(4000 + i)) : addr_v4((uint8_t[]){ 10, 0, 0, 1 }, (uint16_t)(4000 + i));
		peers[i].target = i & 1 ? addr_v6((uint8_t[16]){ 0x20, 1, [15] = 9 }, 443) : addr_v4((uint8_t[]){ 1, 2, 3, 4 }, 80);
	}
}

static void end(void)
{
	for (int i = 0; i < STREAMS; i++)
		if (owned[i].stream) {
			stream_end(owned[i].stream, END_SHUTDOWN);
			owned[i].stream = NULL;
		}
	loop_turn();
	stack_free(); /* and what came in that turn with it */
	memset(owned, 0, sizeof(owned));
	tun_udp_free(udp);
	reassembly_free(parts);
	tun_free(tun); /* before the loop turns: packets may wait in it */
	close(wire);
	loop_turn();
	must(buf_pool_used() == 0);
	loop_free();
}

/* ---- what comes out ---- */

static void note(const struct packet *p)
{
	const uint8_t *l4 = packet_l4(p);

	for (int i = 0; i < PEERS; i++)
		if (p->proto == IPPROTO_TCP && addr_equal(&p->dst, &peers[i].self) && addr_equal(&p->src, &peers[i].target)) {
			peers[i].seq = packet_get32(l4 + 8);
			peers[i].ack = packet_get32(l4 + 4) + packet_l4_len(p) - (uint32_t)(l4[12] >> 4) * 4 + (l4[13] & (SYN | FIN) ? 1 : 0);
		}
}

static void keep(struct buf *b) { (void)b; }

static void look(void)
{
	static uint8_t bytes[70000];
	struct buf buf = { .refs = 2, .size = sizeof(bytes), .data = bytes, .release = keep };
	uint32_t head = features.vnet_hdr ? VNET_HDR : 0;
	struct packet p;
	ssize_t n;

	while ((n = read(wire, bytes, sizeof(bytes))) > 0) {
		must((uint32_t)n > head);
		must(packet_parse(&p, (struct slice){ .buf = &buf, .off = head, .len = (uint32_t)n - head }) == 0);
		must(p.ip.len == (uint32_t)n - head);
		must(p.fragment || head || packet_checksum_ok(&p));
		if (!p.fragment)
			note(&p);
	}
}

static void turn(void)
{
	loop_turn();
	look();
}

/* ---- what goes in ---- */

static void send_packet(struct input *in, const uint8_t *packet, size_t len)
{
	uint8_t out[70000];
	size_t head = features.vnet_hdr ? VNET_HDR : 0;

	memset(out, 0, VNET_HDR);
	if (head && input_byte(in) & 1)
		input_copy(in, out, head);
	memcpy(out + head, packet, len);
	(void)!write(wire, out, head + len);
}

static void put_sum(struct addr *src, struct addr *dst, uint8_t proto, uint8_t *l4, uint32_t len, uint32_t at)
{
	uint16_t sum;

	memset(l4 + at, 0, 2);
	sum = (uint16_t)~packet_fold(packet_sum(l4, len, packet_pseudo_sum(src, dst, proto, len)));
	memcpy(l4 + at, &sum, 2);
}

static void put_header_sum(uint8_t *ip4)
{
	uint16_t sum;

	memset(ip4 + 10, 0, 2);
	sum = (uint16_t)~packet_fold(packet_sum(ip4, 20, 0));
	memcpy(ip4 + 10, &sum, 2);
}

static void send_raw(struct input *in)
{
	size_t len = input_word(in) % 3000;
	uint8_t *packet = input_block(in, len);

	send_packet(in, packet, len);
	free(packet);
}

static void send_segment(struct input *in, struct peer *p, uint8_t flags)
{
	static uint8_t out[70000];
	uint8_t how = input_byte(in);
	uint32_t options = how & 1 ? (input_byte(in) % 11u) * 4 : 0, len = how & 2 ? input_word(in) % 4000 : 0, l4 = 20 + options + len;
	uint32_t ip = packet_build_ip(out, &p->self, &p->target, IPPROTO_TCP, l4, 64, true);
	uint8_t *h = out + ip;

	memset(h, 'd', l4);
	packet_put16(h, p->self.port);
	packet_put16(h + 2, p->target.port);
	packet_put32(h + 4, p->seq + (how & 4 ? (uint32_t)(int8_t)input_byte(in) * 37 : 0));
	packet_put32(h + 8, p->ack + (how & 8 ? (uint32_t)(int8_t)input_byte(in) * 53 : 0));
	h[12] = (uint8_t)((20 + options) / 4 << 4);
	h[13] = flags;
	packet_put16(h + 14, how & 16 ? input_word(in) : 65535);
	packet_put16(h + 18, how & 32 ? input_word(in) : 0);
	input_copy(in, h + 20, options);
	put_sum(&p->self, &p->target, IPPROTO_TCP, h, l4, 16);
	if (flags & SYN)
		p->seq++;
	p->seq += len; /* until the stack says how much it has */
	send_packet(in, out, ip + l4);
}

/* As an application would. */
static void open_connection(struct input *in, struct peer *p)
{
	send_segment(in, p, SYN);
	turn();
	for (int i = 0; i < STREAMS; i++)
		if (owned[i].stream) {
			stream_accept(owned[i].stream);
			stream_want(owned[i].stream, true, false);
		}
	turn();
	send_segment(in, p, ACK);
	turn();
}

static void send_datagram(struct input *in, struct peer *p)
{
	static uint8_t out[70000];
	uint8_t how = input_byte(in);
	uint32_t len = how & 1 ? input_word(in) % 60000 : input_byte(in);
	uint32_t ip = packet_build_ip(out, &p->self, &p->target, IPPROTO_UDP, 8 + len, 64, how & 2);
	uint8_t *h = out + ip;

	memset(h, 'u', 8 + len);
	packet_put16(h, how & 4 ? input_word(in) : p->self.port);
	packet_put16(h + 2, p->target.port);
	packet_put16(h + 4, how & 8 ? input_word(in) : 8 + len);
	put_sum(&p->self, &p->target, IPPROTO_UDP, h, 8 + len, 6);
	send_packet(in, out, ip + 8 + len);
}

static void send_fragment(struct input *in, struct peer *p)
{
	static const uint8_t protos[] = { IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP, IPPROTO_ICMPV6 };
	static uint8_t out[4096];
	uint8_t how = input_byte(in), id = input_byte(in) % 4, *h;
	uint32_t off = (how & 4 ? input_word(in) : input_byte(in) % 32u) & 0x1fff, len = input_byte(in) * (how & 8 ? 8u : 1u);
	bool v6 = p->self.family == AF_INET6;
	uint32_t ip = packet_build_ip(out, &p->self, &p->target, v6 ? IPPROTO_FRAGMENT : protos[how >> 6], len + (v6 ? 8 : 0), 64, false);

	h = out + ip;
	if (v6) {
		memset(h, 0, 8);
		h[0] = protos[how >> 6];
		packet_put16(h + 2, off << 3 | (how & 1));
		h[7] = id;
		h += 8;
	} else {
		packet_put16(out + 4, id);
		packet_put16(out + 6, off | (how & 1 ? 0x2000 : 0));
		put_header_sum(out);
	}
	memset(h, 0, len);
	input_copy(in, h, len < 16 ? len : 16);
	send_packet(in, out, (size_t)(h - out) + len);
}

/* A datagram as a kernel cuts it; the parts in any of four orders, the last perhaps missing. */
static void send_in_parts(struct input *in, struct peer *p)
{
	static uint8_t whole[12000], out[4096];
	uint8_t how = input_byte(in), id = input_byte(in);
	uint32_t part = 8u * (1 + (how >> 2) % 16u * 8), len = 8 + input_word(in) % 6000, n = (len + part - 1) / part, ip;
	bool v6 = p->self.family == AF_INET6;

	memset(whole, 'f', len);
	packet_put16(whole, p->self.port);
	packet_put16(whole + 2, p->target.port);
	packet_put16(whole + 4, len);
	put_sum(&p->self, &p->target, IPPROTO_UDP, whole, len, 6);
	for (uint32_t i = 0; i < n && i < 64; i++) {
		uint32_t k = how & 1 ? n - 1 - i : how & 2 ? (i + id) % n : i, off = k * part, size = len - off < part ? len - off : part;

		ip = packet_build_ip(out, &p->self, &p->target, v6 ? IPPROTO_FRAGMENT : IPPROTO_UDP, size + (v6 ? 8 : 0), 64, false);
		if (v6) {
			memset(out + ip, 0, 8);
			out[ip] = IPPROTO_UDP;
			packet_put16(out + ip + 2, off | (off + size < len));
			out[ip + 7] = id;
			ip += 8;
		} else {
			packet_put16(out + 4, id);
			packet_put16(out + 6, off / 8 | (off + size < len ? 0x2000 : 0));
			put_header_sum(out);
		}
		memcpy(out + ip, whole + off, size);
		send_packet(in, out, ip + size);
	}
}

static void send_ping(struct input *in, struct peer *p)
{
	static uint8_t out[70000];
	uint8_t how = input_byte(in);
	bool v6 = p->self.family == AF_INET6;
	uint8_t proto = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	uint32_t len = 8 + (how & 1 ? input_word(in) % 60000u : input_byte(in)), ip = packet_build_ip(out, &p->self, &p->target, proto, len, 64, false);
	uint16_t sum;

	memset(out + ip, 0, len);
	out[ip] = how & 2 ? input_byte(in) : v6 ? 128 : 8;
	out[ip + 1] = how & 4 ? input_byte(in) : 0;
	input_copy(in, out + ip + 4, 4);
	if (v6) {
		put_sum(&p->self, &p->target, proto, out + ip, len, 2);
	} else {
		sum = (uint16_t)~packet_fold(packet_sum(out + ip, len, 0));
		memcpy(out + ip + 2, &sum, 2);
	}
	send_packet(in, out, ip + len);
}

/* ---- what the owner does ---- */

static void stream_does(struct input *in)
{
	struct owned *o = &owned[input_byte(in) % STREAMS];
	uint8_t what = input_byte(in);
	struct buf *b;

	if (!o->stream)
		return;
	switch (what % 8) {
	case 0:
		stream_accept(o->stream);
		break;
	case 1:
		o->takes = input_word(in);
		stream_want(o->stream, true, what & 8);
		break;
	case 2:
		stream_want(o->stream, false, what & 8);
		break;
	case 3:
		stream_shut(o->stream);
		break;
	case 4:
		stream_end(o->stream, what & 8 ? END_DONE : (enum flow_end)(input_byte(in) % END_COUNT));
		o->stream = NULL;
		break;
	default:
		b = buf_get(BUF_LARGE);
		must(b != NULL);
		memset(b->data, 'w', 70000);
		stream_write(o->stream, &(struct slice){ .buf = b, .len = 1u + input_word(in) }, 1);
		buf_unref(b);
	}
}

static void answer(struct input *in)
{
	uint8_t how = input_byte(in);
	uint32_t len = how & 1 ? input_word(in) : input_byte(in);
	struct buf *b = buf_get(BUF_LARGE);
	struct datagram d = last;

	must(b != NULL);
	memset(b->data, 'a', len + 1);
	d.payload = (struct slice){ .buf = b, .len = len };
	d.segment = how & 2 && len ? (uint16_t)(1 + input_word(in) % 1400) : 0;
	if (d.segment && datagrams_in(&d) > 64)
		d.segment = 0;
	if (has_last && len <= 65507)
		datagram_send(tun_udp_port(udp), &d, 1);
	buf_unref(b);
}

static void refuse(struct input *in)
{
	struct datagram_port *port = tun_udp_port(udp);
	struct buf *b = buf_get(BUF_MEDIUM);
	struct datagram d = last;

	must(b != NULL);
	memset(b->data, 'r', 100);
	d.payload = (struct slice){ .buf = b, .len = 100 };
	d.segment = 0;
	if (has_last && port->ops->refuse)
		port->ops->refuse(port, &d, (enum flow_end)(input_byte(in) % END_COUNT));
	if (has_last && port->ops->forget)
		port->ops->forget(port, &last.key);
	buf_unref(b);
}

static void step(struct input *in)
{
	uint8_t choice = input_byte(in);
	struct peer *p = &peers[choice >> 6];

	switch (choice % STEPS) {
	case RAW: send_raw(in); break;
	case SEGMENT: send_segment(in, p, input_byte(in)); break;
	case OPEN: open_connection(in, p); break;
	case DATAGRAM: send_datagram(in, p); break;
	case FRAGMENT: send_fragment(in, p); break;
	case IN_PARTS: send_in_parts(in, p); break;
	case PING: send_ping(in, p); break;
	case WAIT: clock_skip_ms((uint32_t)input_byte(in) * input_byte(in)); turn(); break;
	case STREAM_DOES: stream_does(in); break;
	case TURN: turn(); break;
	case ANSWER: answer(in); break;
	case REFUSE: refuse(in); break;
	case MTU:
		tun_set_mtu(tun, 1280 + input_word(in) % 3000);
		stack_follow_mtu();
		break;
	case PATH: tun_udp_set_path(udp, input_byte(in) & 1 ? 0 : 576 + input_word(in) % 1000, 1280 + input_word(in) % 1000); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	begin(input_byte(&in));
	for (int i = 0; in.left && i < STEPS_MAX; i++)
		step(&in);
	turn();
	turn();
	end();
	return 0;
}
