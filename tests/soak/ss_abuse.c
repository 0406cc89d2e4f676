/*
 * A user of a Shadowsocks server who has a key and means no good, and a prober who has none: what one
 * process can do to it by chance and as fast as it goes, for so many seconds. Whoever runs it looks at
 * the server meanwhile (memory, descriptors, what others get of it).
 *
 *	ss_abuse METHOD SERVER:PORT TARGET:PORT SECONDS CONNECTIONS KEY [IDENTITY_KEY]
 *
 * TCP: up to CONNECTIONS at a time, each a flight of some kind (enum kind) sent in pieces of any size, then
 * closed, reset or left standing. UDP: bursts of sealed datagrams of any session, number, age, size and
 * target, copies and bent ones among them. It prints how many of each, and what came back.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "crypto/kdf.h"
#include "crypto/random.h"
#include "proto/ss_packet.h"
#include "proto/ss_stream.h"
#include "proto/uot.h"

#define FLIGHT_MAX (200 * 1024)
#define TCP_MAX 2000
#define UDP_SOCKETS 8

enum kind { SILENT, NOISE, GOOD, BENT, BAD_HEAD, BAD_REQUEST, BAD_LENGTHS, UOT, OLD, AGAIN, KINDS };
static const char *const kind_names[] = { "silent", "noise", "good", "bent", "bad head", "bad request", "bad lengths", "uot", "old", "again" };

struct conn {
	int fd; /* 0: free */
	uint8_t *flight;
	size_t len, at;
	uint64_t until;
	bool reset, shut;
};

static const struct ss_method *method;
static uint8_t key[SS_KEY_MAX], identity_key[1][SS_KEY_MAX];
static struct ss_identity *identity;
static struct addr server;
static struct target good_target;
static struct conn conns[TCP_MAX];
static int n_conns;
static uint8_t last_flight[FLIGHT_MAX];
static size_t last_len;
static unsigned long kinds[KINDS], udp_sent, udp_back, tcp_bytes_back, tcp_failed;

/* ---- what is said ---- */

struct writer {
	struct aead_key aead;
	uint64_t nonce;
	uint8_t *at, *end;
};

/* One box of whatever is in it; nothing where it has no room. */
static void put_box(struct writer *w, const void *data, size_t len)
{
	uint8_t nonce[AEAD_NONCE_MAX] = { 0 };
	uint64_t v = w->nonce++;

	if ((size_t)(w->end - w->at) < len + AEAD_TAG_LEN)
		return;
	memcpy(nonce, &v, sizeof(v));
	aead_seal(&w->aead, nonce, data, len, w->at);
	w->at += len + AEAD_TAG_LEN;
}

static void put_chunk(struct writer *w, const uint8_t *data, size_t said, size_t len)
{
	uint8_t length[2];

	put16(length, said);
	put_box(w, length, 2);
	put_box(w, data, len);
}

/* Some are where nobody may go, some are nowhere. */
static struct target any_target(void)
{
	static const char *const words[] = { "127.0.0.1:80", "[::1]:8388", "0.0.0.0:0", "169.254.169.254:80", "[::ffff:127.0.0.1]:22", "224.0.0.1:5353",
		"255.255.255.255:68", "10.77.2.2:8388", "[fd77:2::2]:8388", "localhost:8388", "web.lab:7001", "nowhere.lab:1", "a.b.c.d.e.f:65535",
		"10.77.3.2:7099", "10.77.3.200:80", "10.77.3.2:7009", "10.77.3.2:7005", "10.77.3.2:53", "[64:ff9b::7f00:1]:80" };
	struct target t = good_target;

	if (random_below(2))
		return t;
	if (target_parse(words[random_below(sizeof(words) / sizeof(*words))], &t) != 0)
		return good_target;
	return t;
}

static size_t random_size(size_t max)
{
	return random_below(1u << random_below(18)) % (max + 1);
}

static void begin(struct writer *w, uint8_t *out)
{
	uint8_t subkey[SS_KEY_MAX];

	random_bytes(out, method->key_len);
	ss_subkey(method, key, out, subkey);
	memset(w, 0, sizeof(*w));
	aead_key_init(&w->aead, aead_ops_for(method->tcp), subkey);
	w->end = out + FLIGHT_MAX;
	w->at = out + method->key_len;
	if (identity) {
		ss_identity_put_tcp(identity, out, w->at);
		w->at += ss_identity_len(identity);
	}
}

/* The fixed head (SIP022) or a length, of a second box that has `said` bytes. */
static void put_head(struct writer *w, enum kind kind, size_t said)
{
	uint8_t head[11] = { 0 };

	put64(head + 1, clock_unix() - (kind == OLD ? random_below(100) : 0));
	if (kind == BAD_HEAD)
		random_bytes(head, random_below(sizeof(head)) + 1);
	put16(method->sip022 ? head + 9 : head, kind == BAD_HEAD ? random_below(65536) : said);
	put_box(w, head, method->sip022 ? 11 : 2);
}

static size_t put_request(uint8_t *out, enum kind kind)
{
	struct target t = any_target();
	size_t n, padding = random_below(2) ? 1 + random_below(900) : 0, payload = random_below(3) ? random_size(3000) : 0;

	if (kind == BAD_REQUEST) {
		n = random_size(5000);
		random_bytes(out, n);
		if (n)
			out[0] = (uint8_t)(1 + random_below(4));
		return n;
	}
	if (kind == UOT) {
		uot_target(&t);
		payload = 0;
	}
	n = ss_addr_encode(&t, out);
	if (method->sip022) {
		put16(out + n, padding);
		random_bytes(out + n + 2, padding);
		n += 2 + padding;
	}
	if (payload)
		random_bytes(out + n, payload);
	return n + payload;
}

static size_t put_uot(uint8_t *out)
{
	bool connected = random_below(2);
	struct target t = any_target();
	size_t at = random_below(8) ? uot_put_request(connected, &t, out) : 0;

	for (int i = 0; i < 20 && at < 30000; i++) {
		size_t len = random_size(1400);

		t = any_target();
		at += uot_put_head(connected, &t, (uint16_t)(random_below(10) ? len : random_below(65536)), out + at);
		random_bytes(out + at, len);
		at += len;
	}
	return at;
}

static void put_rest(struct writer *w, enum kind kind)
{
	static uint8_t data[70000];
	size_t max = ss_chunk_max(method);

	for (unsigned i = random_below(12); i; i--) {
		size_t len = random_below(8) ? random_size(max) : max;

		if (kind == UOT)
			len = put_uot(data);
		else
			random_bytes(data, len < 64 ? len : 64);
		if (kind == UOT && !random_below(8))
			data[random_below((uint32_t)len + 1)] ^= 1;
		if (!len && kind != BAD_LENGTHS)
			len = 1;
		put_chunk(w, data, kind == BAD_LENGTHS && !random_below(3) ? random_below(65536) : len, len);
	}
}

static size_t make_flight(uint8_t *out, enum kind kind)
{
	static uint8_t request[70000];
	struct writer w;
	size_t n, len;

	if (kind == NOISE) {
		len = random_size(5000);
		random_bytes(out, len);
		return len;
	}
	begin(&w, out);
	n = put_request(request, kind);
	if (method->sip022) {
		put_head(&w, kind, n);
		put_box(&w, request, n);
	} else if (kind == BAD_HEAD) {
		put_head(&w, kind, n);
		put_box(&w, request, n);
	} else {
		put_chunk(&w, request, n, n);
	}
	put_rest(&w, kind);
	len = (size_t)(w.at - out);
	aead_key_wipe(&w.aead);
	if (kind == BENT)
		out[random_below((uint32_t)len)] ^= (uint8_t)(1 << random_below(8));
	return len;
}

/* ---- TCP ---- */

static void conn_end(struct conn *c)
{
	struct linger linger = { .l_onoff = 1 };

	if (c->reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(c->fd);
	free(c->flight);
	memset(c, 0, sizeof(*c));
	n_conns--;
}

static void conn_begin(struct conn *c)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&server, &ss);
	enum kind kind = (enum kind)random_below(KINDS);

	c->fd = socket(server.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		exit(2);
	n_conns++;
	kinds[kind]++;
	c->flight = malloc(FLIGHT_MAX);
	if (!c->flight)
		exit(2);
	if (kind == AGAIN)
		memcpy(c->flight, last_flight, c->len = last_len);
	else if (kind != SILENT)
		c->len = make_flight(c->flight, kind);
	if (kind == GOOD || kind == UOT)
		memcpy(last_flight, c->flight, last_len = c->len);
	if (!random_below(4) && c->len)
		c->len = random_below((uint32_t)c->len);
	c->until = clock_ms() + random_below(random_below(10) ? 300 : 8000);
	c->reset = random_below(2);
	if (connect(c->fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS) {
		tcp_failed++;
		conn_end(c);
	}
}

static void conn_turn(struct conn *c)
{
	static uint8_t sink[65536];
	size_t left = c->len - c->at, part = random_below(3) ? left : 1 + random_size(left);
	ssize_t n;

	if (left && (n = send(c->fd, c->flight + c->at, part < left ? part : left, MSG_NOSIGNAL)) > 0)
		c->at += (size_t)n;
	if (c->at == c->len && !c->shut && !random_below(4)) {
		shutdown(c->fd, SHUT_WR);
		c->shut = true;
	}
	n = random_below(2) ? recv(c->fd, sink, sizeof(sink), 0) : -1;
	if (n > 0)
		tcp_bytes_back += (size_t)n;
	if (clock_ms() >= c->until || n == 0)
		conn_end(c);
}

static void tcp_turn(int most)
{
	for (int i = 0; i < most; i++) {
		if (conns[i].fd > 0)
			conn_turn(&conns[i]);
		else if (!random_below(4))
			conn_begin(&conns[i]);
	}
}

/* ---- UDP ---- */

static struct ss_packet_codec codec;
static int udp[UDP_SOCKETS];

static void udp_begin(void)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&server, &ss);

	if (ss_packet_codec_init(&codec, method, SS_CLIENT, key) != 0)
		exit(2);
	if (identity)
		ss_packet_codec_set_identity(&codec, identity);
	for (int i = 0; i < UDP_SOCKETS; i++) {
		udp[i] = socket(server.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (udp[i] < 0 || connect(udp[i], (struct sockaddr *)&ss, len) < 0)
			exit(2);
	}
}

/* Few sessions that come again, and endlessly many that do not. */
static uint64_t any_session(void)
{
	return random_below(3) ? 1 + random_below(40) : random_u64();
}

static void udp_turn(void)
{
	static uint8_t payload[66000], out[70000];
	static const uint64_t numbers[] = { 0, 1, 2, 1000, 1ull << 32, 1ull << 63, ~0ull - 1, ~0ull };
	struct target t = any_target();
	struct ss_packet_session s;
	struct ss_packet_out o = { .remote = &t, .now = clock_unix() - (random_below(10) ? 0 : random_below(90)), .padding = (uint16_t)random_below(900) };
	ssize_t len;

	ss_packet_session_init(&codec, &s, any_session());
	s.next_packet_id = random_below(4) ? random_below(100000) : numbers[random_below(8)];
	random_bytes(payload, 64);
	len = ss_packet_seal(&codec, &s, &o, payload, random_below(10) ? random_size(1400) : random_size(64000), out, sizeof(out));
	ss_packet_session_wipe(&s);
	if (len <= 0)
		return;
	if (!random_below(10))
		out[random_below((uint32_t)len)] ^= (uint8_t)(1 << random_below(8));
	if (!random_below(10))
		len = random_below((uint32_t)len + 1);
	for (unsigned copies = random_below(10) ? 1 : 3; copies; copies--)
		udp_sent += send(udp[random_below(UDP_SOCKETS)], out, (size_t)len, 0) >= 0;
}

static void udp_drain(void)
{
	static uint8_t sink[65536];

	for (int i = 0; i < UDP_SOCKETS; i++)
		while (recv(udp[i], sink, sizeof(sink), 0) >= 0)
			udp_back++;
}

/* ---- the command line ---- */

static void read_key(const char *text, uint8_t out[SS_KEY_MAX])
{
	char err[256];

	if (ss_key_from_password(method, text, out, err, sizeof(err)) != 0) {
		fprintf(stderr, "key: %s\n", err);
		exit(2);
	}
}

static void begin_with(char **argv, int argc)
{
	struct target t;

	if (!method || target_parse(argv[2], &t) != 0 || target_parse(argv[3], &good_target) != 0) {
		fprintf(stderr, "usage: see the head of ss_abuse.c\n");
		exit(2);
	}
	server = t.ip;
	read_key(argv[6], key);
	if (argc > 7) {
		read_key(argv[7], identity_key[0]);
		identity = ss_identity_new(method, (const uint8_t (*)[SS_KEY_MAX])identity_key, 1, key);
	}
}

int main(int argc, char **argv)
{
	uint64_t end;
	int most;

	method = argc > 6 ? ss_method_find(argv[1]) : NULL;
	begin_with(argv, argc);
	end = clock_ms() + strtoul(argv[4], NULL, 10) * 1000;
	most = atoi(argv[5]) < TCP_MAX ? atoi(argv[5]) : TCP_MAX;
	udp_begin();
	while (clock_ms() < end) {
		tcp_turn(most);
		for (int i = 0; i < 50; i++)
			udp_turn();
		udp_drain();
		poll(NULL, 0, 2);
	}
	for (int i = 0; i < KINDS; i++)
		printf("%s %lu, ", kind_names[i], kinds[i]);
	printf("tcp bytes back %lu, failed %lu, udp sent %lu, back %lu\n", tcp_bytes_back, tcp_failed, udp_sent, udp_back);
	return 0;
}
