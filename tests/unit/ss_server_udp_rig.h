/*
 * Shadowsocks UDP from end to end over loopback, for the tests of its server: our
 * client port, our server, an association table and direct sockets, against a plain
 * echo; and a client by hand.
 */
#ifndef TEST_SS_SERVER_UDP_RIG_H
#define TEST_SS_SERVER_UDP_RIG_H

#include "udp_helpers.h"

#include "crypto/random.h"
#include "base/clock.h"
#include "flow/assoc.h"
#include "inbound/ss_server_udp.h"
#include "io/datagram_counters.h"
#include "io/udp_slots.h"
#include "outbound/direct_udp.h"
#include "outbound/ss_udp.h"
#include "proto/ss_packet.h"
#include "resolve/resolve.h"

static const char *const methods[] = {
	"aes-128-gcm", "aes-192-gcm", "aes-256-gcm", "chacha20-ietf-poly1305", "xchacha20-ietf-poly1305",
	"2022-blake3-aes-128-gcm", "2022-blake3-aes-256-gcm", "2022-blake3-chacha20-poly1305",
};

static uint8_t key[SS_KEY_MAX];
static const struct ss_method *method;
static struct ss_server_udp *server;
static struct assoc_table *table;
static struct ss_udp_client *client;
static struct datagram_port *port;
static struct addr server_addr, echo_addr;
static int echo_fd;
static bool allow_local;

/* ---- a direct outbound without TCP ---- */

static inline struct datagram_port *direct_port(struct outbound *o)
{
	struct direct_udp_options options = { .allow_local = allow_local };

	(void)o;
	return direct_udp_port(&options);
}

static const struct outbound_ops direct_ops = { .port = direct_port };
static struct outbound direct = { .ops = &direct_ops, .name = "direct" };

/* ---- what came back to the client ---- */

static int n_back;
static uint32_t back_len[256];
static bool back_intact;
static struct addr back_from;

static inline void on_back(void *owner, const struct datagram *d, int n)
{
	(void)owner;
	for (int i = 0; i < n; i++) {
		const uint8_t *data = slice_data(&d[i].payload);

		assert_int_equal(d[i].segment, 0);
		back_len[n_back++ % 256] = d[i].payload.len;
		back_intact &= !d[i].payload.len || pattern_ok(data, d[i].payload.len, data[0]);
		back_from = d[i].remote->ip;
	}
}

static inline void on_ended(void *owner, enum flow_end why)
{
	(void)owner, (void)why;
	fail();
}

static const struct datagram_events back_events = { on_back, on_ended, NULL };

/* ---- set-up ---- */

/* What a test wants otherwise: set before begin(), as it was after end(). */
static const struct rig {
	const char *names;   /* a name server */
	struct addr listen;  /* family 0: 127.0.0.1 */
	uint32_t max;	     /* associations */
	struct ss_users *users;
	bool localhost;	     /* the echo is where that name leads */
} usual_rig = { .max = 100 };
static struct rig rig = { .max = 100 };

static inline void begin(const char *name, bool local)
{
	struct addr any = rig.listen.family ? rig.listen : loopback4(0);
	struct target to;
	struct assoc_limits limits = { .max = rig.max, .idle_s = 300, .unreplied_s = 30, .dns_s = 10 };
	char err[256];

	allow_local = local;
	n_back = 0;
	back_intact = true;
	method = ss_method_find(name);
	assert_non_null(method);
	random_bytes(key, sizeof(key));
	assert_int_equal(loop_init(), 0);
	assert_int_equal(resolve_init(&(struct resolve_options){ .servers = rig.names }, err, sizeof(err)), 0);
	server = ss_server_udp_new(&any, method, key, rig.users);
	assert_non_null(server);
	server_addr = ss_server_udp_addr(server);
	table = assoc_table_new(ss_server_udp_port(server), &direct, &limits);
	target_from_addr(&to, &server_addr);
	client = ss_udp_client_new(&(struct ss_udp_client_options){ .server = &to, .method = method, .key = key });
	assert_non_null(client);
	port = ss_udp_client_port(client);
	assert_non_null(port);
	datagram_bind(port, &back_events, NULL);
	echo_fd = plain_socket_at(rig.localhost ? loopback4(0) : loopback4_own(), &echo_addr);
}

static inline void end(void)
{
	datagram_end(port, END_SHUTDOWN);
	loop_turn();
	ss_udp_client_free(client);
	assoc_table_free(table);
	ss_server_udp_free(server);
	loop_turn();
	close(echo_fd);
	assert_int_equal(udp_slots_used(), 0);
	assert_int_equal(buf_pool_used(), 0);
	resolve_free();
	loop_free();
	rig = usual_rig;
}

static inline void send_up(const struct target *to, uint32_t len, uint16_t segment)
{
	struct slice s = pattern_slice(len, 3);
	struct datagram d = { .remote = to, .payload = s, .segment = segment };

	datagram_send(port, &d, 1);
	slice_unref(s);
}

static inline struct target echo_target(void)
{
	struct target t;

	target_from_addr(&t, &echo_addr);
	return t;
}

static uint8_t scratch[70000];

/* Answers all that reached the echo; true if something had. */
static inline int echo_once(struct addr *from)
{
	struct addr a;
	int n = 0;

	for (;;) {
		ssize_t len = plain_receive(echo_fd, scratch, sizeof(scratch), &a);
		if (len < 0)
			return n;
		n++;
		plain_send(echo_fd, &a, scratch, (size_t)len);
		if (from)
			*from = a;
	}
}

static inline bool echoed(int wanted)
{
	echo_once(NULL);
	return n_back >= wanted;
}

/* ---- the wire, by hand ---- */

struct raw_client {
	struct ss_packet_codec codec;
	struct ss_packet_session session;
	int fd;
	struct addr self;
};

static inline void raw_begin(struct raw_client *r)
{
	assert_int_equal(ss_packet_codec_init(&r->codec, method, SS_CLIENT, key), 0);
	ss_packet_session_init(&r->codec, &r->session, 0x1122334455667788);
	r->fd = plain_socket(&r->self);
}

static inline void raw_end(struct raw_client *r)
{
	ss_packet_session_wipe(&r->session);
	ss_packet_codec_wipe(&r->codec);
	close(r->fd);
}

static inline size_t raw_seal(struct raw_client *r, uint64_t now, uint8_t *out)
{
	struct target to = echo_target();
	struct ss_packet_out o = { .remote = &to, .now = now };
	ssize_t n = ss_packet_seal(&r->codec, &r->session, &o, (const uint8_t *)"hello", 5, out, 2000);

	assert_true(n > 0);
	return (size_t)n;
}

static inline int drain(int fd)
{
	uint8_t data[2000];
	int came = 0;

	while (plain_receive(fd, data, sizeof(data), NULL) > 0)
		came++;
	return came;
}

/* One datagram up from fd, and its echo down again. */
static inline size_t exchange(struct raw_client *r, int fd, struct addr *mapped)
{
	uint8_t packet[2000];
	size_t n = raw_seal(r, clock_unix(), packet);

	plain_send(fd, &server_addr, packet, n);
	turn_until(echo_once(mapped) == 1);
	turn_until(drain(fd) == 1);
	return n;
}

#endif
