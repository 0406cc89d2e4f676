/*
 * The question that each inbound of streams asks at accept: a client that the
 * owner does not want is reset before a byte of it is read, and counted.
 */
#include "udp_helpers.h"

#include "crypto/random.h"
#include "flow/counters.h"
#include "inbound/mixed.h"
#include "inbound/ss_server.h"
#include "inbound/tunnel.h"

static enum flow_end verdict;
static int n_asked, n_streams;

static enum flow_end on_admit(void *owner, const struct addr *client)
{
	(void)owner;
	assert_int_equal(client->family, AF_INET);
	n_asked++;
	return verdict;
}

static void on_stream(void *owner, struct stream *s, const struct addr *client, const struct target *target)
{
	(void)owner, (void)client, (void)target;
	n_streams++;
	stream_end(s, END_SHUTDOWN);
}

static const struct inbound_events events = { .admit = on_admit, .stream = on_stream };

static int dial(const struct addr *to)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

/* Turned away: asked once, reset, never a stream; and counted. */
static void expect_turned_away(const struct addr *to)
{
	uint64_t before = flow_counters.tcp.ended[END_DENIED];
	char byte;
	int fd = dial(to);

	n_asked = n_streams = 0;
	verdict = END_DENIED;
	turn_until(n_asked == 1);
	turns(3);
	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(n_streams, 0);
	assert_int_equal(flow_counters.tcp.ended[END_DENIED], before + 1);
	close(fd);
}

static void expect_welcome(const struct addr *to)
{
	char byte;
	int fd = dial(to);

	n_asked = 0;
	verdict = END_DONE;
	turn_until(n_asked == 1);
	turns(3);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	close(fd);
	turns(3);
}

/* A port that is free now, for inbounds that do not tell theirs. */
static struct addr free_port(void)
{
	struct addr a;
	int fd = plain_socket(&a);

	close(fd);
	return a;
}

static void test_socks(void **state)
{
	struct mixed_options o = { .listen = loopback4(0), .socks = true, .tcp = true, .handshake_s = 10 };
	struct config_users none = { 0 };
	struct mixed *m;
	struct addr at;
	int err;

	(void)state;
	o.socks_users = o.http_users = &none;
	assert_int_equal(loop_init(), 0);
	m = mixed_new(&o, &events, NULL, &err);
	assert_non_null(m);
	at = mixed_addr(m);
	expect_turned_away(&at);
	expect_welcome(&at);
	mixed_free(m);
	loop_turn();
	loop_free();
}

static void test_tunnel(void **state)
{
	struct target to;
	struct addr at = free_port();
	struct tunnel_tcp *t;
	int err, fd;

	(void)state;
	target_from_addr(&to, &at);
	assert_int_equal(loop_init(), 0);
	t = tunnel_tcp_new(&at, &to, &events, NULL, &err);
	assert_non_null(t);
	expect_turned_away(&at);
	verdict = END_DONE;
	fd = dial(&at);
	turn_until(n_streams == 1);
	close(fd);
	tunnel_tcp_free(t);
	loop_turn();
	loop_free();
}

static void test_shadowsocks(void **state)
{
	static const char *const methods[] = { "aes-256-gcm", "2022-blake3-aes-256-gcm" };
	uint8_t key[SS_KEY_MAX];

	(void)state;
	random_bytes(key, sizeof(key));
	for (int i = 0; i < 2; i++) {
		struct ss_server_options o = { .listen = free_port(), .method = ss_method_find(methods[i]), .key = key, .handshake_s = 10 };
		struct ss_server *s;
		int err;

		assert_int_equal(loop_init(), 0);
		s = ss_server_new(&o, &events, NULL, &err);
		assert_non_null(s);
		expect_turned_away(&o.listen);
		expect_welcome(&o.listen);
		ss_server_free(s);
		loop_turn();
		loop_free();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_socks),
		cmocka_unit_test(test_tunnel),
		cmocka_unit_test(test_shadowsocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
