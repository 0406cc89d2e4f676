/*
 * Users over real UDP: our client port and hand-made datagrams against a server
 * with users, an association table and a plain echo. Each has sessions and
 * counters of his own, also where two choose the same session id; nobody else
 * is heard or answered.
 */
#include "udp_helpers.h"

#include "base/clock.h"
#include "crypto/random.h"
#include "flow/assoc.h"
#include "inbound/ss_server_udp.h"
#include "io/datagram_counters.h"
#include "io/udp_slots.h"
#include "outbound/direct_udp.h"
#include "outbound/ss_udp.h"
#include "proto/ss_packet.h"
#include "resolve/resolve.h"

#define SESSION 0x1122334455667788u

static const char *const methods[] = { "2022-blake3-aes-128-gcm", "2022-blake3-aes-256-gcm" };

static const struct ss_method *method;
static uint8_t server_key[1][SS_KEY_MAX], alice_key[SS_KEY_MAX], bob_key[SS_KEY_MAX];
static struct ss_users *users;
static struct ss_server_udp *server;
static struct assoc_table *table;
static struct addr server_addr, echo_addr;
static int echo_fd;

static struct datagram_port *direct_port(struct outbound *o)
{
	struct direct_udp_options options = { .allow_local = true };

	(void)o;
	return direct_udp_port(&options);
}

static const struct outbound_ops direct_ops = { .port = direct_port };
static struct outbound direct = { .ops = &direct_ops, .name = "direct" };

static void on_client_gone(void *owner, const struct assoc_key *key)
{
	assoc_table_end(owner, key, END_REMOVED);
}

static void begin(const char *name)
{
	struct addr any = loopback4(0);
	struct assoc_limits limits = { .max = 100, .idle_s = 300, .unreplied_s = 30, .dns_s = 10 };
	char err[256];

	method = ss_method_find(name);
	random_bytes(server_key, sizeof(server_key));
	random_bytes(alice_key, sizeof(alice_key));
	random_bytes(bob_key, sizeof(bob_key));
	assert_int_equal(loop_init(), 0);
	assert_int_equal(resolve_init(&(struct resolve_options){ 0 }, err, sizeof(err)), 0);
	users = ss_users_new(method, server_key[0]);
	assert_int_equal(ss_users_add(users, "alice", alice_key), 0);
	assert_int_equal(ss_users_add(users, "bob", bob_key), 0);
	server = ss_server_udp_new(&any, method, server_key[0], users);
	assert_non_null(server);
	server_addr = ss_server_udp_addr(server);
	table = assoc_table_new(ss_server_udp_port(server), &direct, &limits);
	ss_server_udp_on_close(server, on_client_gone, table);
	flow_counters_reset();
	echo_fd = plain_socket(&echo_addr);
}

static void end(void)
{
	assoc_table_free(table);
	ss_server_udp_free(server);
	loop_turn();
	close(echo_fd);
	ss_users_free(users);
	assert_int_equal(udp_slots_used(), 0);
	assert_int_equal(buf_pool_used(), 0);
	resolve_free();
	loop_free();
}

static const struct ss_user_counters *counters(int i)
{
	return &ss_users_at(users, i)->counters;
}

/* Answers what reached the echo; how many that were. */
static int echo_once(struct addr *from)
{
	uint8_t data[2000];
	struct addr a;
	ssize_t len;
	int n = 0;

	while ((len = plain_receive(echo_fd, data, sizeof(data), &a)) >= 0) {
		plain_send(echo_fd, &a, data, (size_t)len);
		if (from)
			*from = a;
		n++;
	}
	return n;
}

/* ---- a client by hand ---- */

struct raw {
	struct ss_packet_codec codec;
	struct ss_packet_session up;
	struct ss_identity *identity;
	int fd;
	struct addr self;
};

/* identity of `named` (NULL: none), sealed with `key`. */
static void raw_begin(struct raw *r, const uint8_t *named, const uint8_t *key)
{
	assert_int_equal(ss_packet_codec_init(&r->codec, method, SS_CLIENT, key), 0);
	r->identity = named ? ss_identity_new(method, (const uint8_t (*)[SS_KEY_MAX])server_key, 1, named) : NULL;
	if (named)
		ss_packet_codec_set_identity(&r->codec, r->identity);
	ss_packet_session_init(&r->codec, &r->up, SESSION);
	r->fd = plain_socket(&r->self);
}

static void raw_end(struct raw *r)
{
	ss_packet_session_wipe(&r->up);
	ss_packet_codec_wipe(&r->codec);
	ss_identity_free(r->identity);
	close(r->fd);
}

static void raw_send(struct raw *r, const char *text)
{
	struct target to;
	struct ss_packet_out o = { .remote = &to, .now = clock_unix() };
	uint8_t out[2000];
	ssize_t n;

	target_from_addr(&to, &echo_addr);
	n = ss_packet_seal(&r->codec, &r->up, &o, (const uint8_t *)text, strlen(text), out, sizeof(out));
	assert_true(n > 0);
	plain_send(r->fd, &server_addr, out, (size_t)n);
}

/* True when `text` came back to this client, under its key and for its session. */
static bool raw_got(struct raw *r, const char *text)
{
	struct ss_packet_session down;
	struct ss_packet p;
	uint8_t data[2000];
	ssize_t n = plain_receive(r->fd, data, sizeof(data), NULL);

	if (n < 0)
		return false;
	assert_int_equal(ss_packet_identify(&r->codec, data, (size_t)n, &p), 0);
	ss_packet_session_init(&r->codec, &down, p.session_id);
	assert_int_equal(ss_packet_open(&r->codec, &down, clock_unix(), data, (size_t)n, &p), 0);
	ss_packet_session_wipe(&down);
	assert_int_equal(p.client_session_id, SESSION);
	assert_int_equal(p.len, strlen(text));
	assert_memory_equal(p.payload, text, p.len);
	return true;
}

static void exchange(struct raw *r, const char *text, struct addr *mapped)
{
	raw_send(r, text);
	turn_until(echo_once(mapped) == 1);
	turn_until(raw_got(r, text));
}

static void test_two_users_with_one_session_id_do_not_meet(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct addr of_alice, of_bob;
		struct raw alice, bob;

		begin(methods[i]);
		raw_begin(&alice, alice_key, alice_key);
		raw_begin(&bob, bob_key, bob_key);
		exchange(&alice, "from alice", &of_alice);
		exchange(&bob, "bob", &of_bob);
		assert_false(addr_equal(&of_alice, &of_bob));
		exchange(&alice, "alice again", NULL);
		/* what comes for alice's mapping goes to alice, though bob spoke since */
		exchange(&bob, "bob", NULL);
		plain_send(echo_fd, &of_alice, "late", 4);
		turn_until(raw_got(&alice, "late"));
		assert_false(raw_got(&bob, "late"));
		assert_int_equal(counters(0)->udp_sessions, 1);
		assert_int_equal(counters(0)->datagrams_up, 2);
		assert_int_equal(counters(0)->udp_up, 10 + 11);
		assert_int_equal(counters(0)->datagrams_down, 3);
		assert_int_equal(counters(0)->udp_down, 10 + 11 + 4);
		assert_int_equal(counters(1)->udp_sessions, 1);
		assert_int_equal(counters(1)->udp_up, 6);
		assert_int_equal(counters(1)->udp_down, 6);
		assert_int_equal(counters(1)->tcp_flows, 0);
		raw_end(&alice);
		raw_end(&bob);
		end();
	}
}

static void expect_silence(const uint8_t *named, const uint8_t *key)
{
	uint64_t refused = datagram_counters.dropped_crypto + datagram_counters.malformed;
	struct raw r;

	raw_begin(&r, named, key);
	r.up.next_packet_id = 1000; /* not refused as a replay */
	raw_send(&r, "let me in, please: I am long enough");
	turn_until(datagram_counters.dropped_crypto + datagram_counters.malformed == refused + 1);
	turns(3);
	assert_int_equal(echo_once(NULL), 0);
	assert_false(raw_got(&r, ""));
	raw_end(&r);
}

static void test_nobody_else_is_heard_or_answered(void **state)
{
	uint8_t stranger[SS_KEY_MAX];

	(void)state;
	random_bytes(stranger, sizeof(stranger));
	for (int i = 0; i < 2; i++) {
		struct raw alice;

		begin(methods[i]);
		raw_begin(&alice, alice_key, alice_key);
		exchange(&alice, "hello", NULL);
		expect_silence(stranger, stranger);
		expect_silence(stranger, server_key[0]);
		expect_silence(alice_key, bob_key); /* alice's name and session, bob's key */
		expect_silence(alice_key, server_key[0]);
		expect_silence(NULL, server_key[0]);
		expect_silence(NULL, alice_key);
		assert_int_equal(counters(0)->udp_sessions, 1);
		assert_int_equal(counters(0)->datagrams_up, 1);
		assert_int_equal(counters(1)->udp_sessions, 0);
		exchange(&alice, "still here", NULL);
		raw_end(&alice);
		end();
	}
}

static void test_a_removed_user_s_sessions_end_and_no_other(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct raw alice, bob;
		struct ss_user_counters total;

		begin(methods[i]);
		raw_begin(&alice, alice_key, alice_key);
		raw_begin(&bob, bob_key, bob_key);
		exchange(&alice, "from alice", NULL);
		exchange(&bob, "bob", NULL);
		assert_int_equal(flow_counters.udp.sessions_active, 2);
		ss_users_remove(users, ss_users_find_name(users, "alice"));
		assert_int_equal(flow_counters.udp.sessions_active, 1);
		raw_send(&alice, "again");
		exchange(&bob, "bob again", NULL);
		assert_int_equal(echo_once(NULL), 0);
		/* and back with what she has done forgotten, but for the sum */
		assert_int_equal(ss_users_add(users, "alice", alice_key), 0);
		exchange(&alice, "back", NULL);
		assert_int_equal(ss_users_find_name(users, "alice")->counters.udp_up, 4);
		ss_users_total(users, &total);
		assert_int_equal(total.udp_up, 10 + 3 + 9 + 4);
		assert_int_equal(total.udp_sessions, 3);
		raw_end(&alice);
		raw_end(&bob);
		end();
	}
}

static void test_a_changed_key_is_the_end_of_old_sessions(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		uint8_t other[SS_KEY_MAX];
		struct raw old, new;

		random_bytes(other, sizeof(other));
		begin(methods[i]);
		raw_begin(&old, alice_key, alice_key);
		raw_begin(&new, other, other);
		exchange(&old, "hello", NULL);
		assert_int_equal(ss_users_rekey(users, ss_users_at(users, 0), bob_key), -EEXIST);
		assert_int_equal(flow_counters.udp.sessions_active, 1);
		assert_int_equal(ss_users_rekey(users, ss_users_at(users, 0), other), 0);
		assert_int_equal(flow_counters.udp.sessions_active, 0);
		exchange(&new, "hello", NULL);
		raw_send(&old, "hello");
		turns(3);
		assert_int_equal(echo_once(NULL), 0);
		assert_int_equal(counters(0)->udp_sessions, 2);
		/* the server's key changes: nobody's session goes on */
		random_bytes(server_key, sizeof(server_key));
		ss_users_set_key(users, method, server_key[0]);
		assert_int_equal(ss_server_udp_set_key(server, method, server_key[0]), 0);
		assert_int_equal(flow_counters.udp.sessions_active, 0);
		raw_end(&new);
		raw_begin(&new, other, other);
		new.up.next_packet_id = 1000; /* not refused as a replay */
		exchange(&new, "under the new key", NULL);
		raw_end(&old);
		raw_end(&new);
		end();
	}
}

/* ---- our own client ---- */

static int n_back;

static void on_back(void *owner, const struct datagram *d, int n)
{
	(void)owner;
	for (int i = 0; i < n; i++)
		n_back += pattern_ok(slice_data(&d[i].payload), d[i].payload.len, 3);
}

static void on_ended(void *owner, enum flow_end why)
{
	(void)owner, (void)why;
	fail();
}

static bool echoed(int wanted)
{
	echo_once(NULL);
	return n_back >= wanted;
}

static void test_our_client_says_who_it_is(void **state)
{
	static const struct datagram_events events = { on_back, on_ended, NULL };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct ss_udp_client *client;
		struct datagram_port *port;
		struct ss_identity *identity;
		struct target to, echo;

		begin(methods[i]);
		n_back = 0;
		target_from_addr(&to, &server_addr);
		target_from_addr(&echo, &echo_addr);
		identity = ss_identity_new(method, (const uint8_t (*)[SS_KEY_MAX])server_key, 1, bob_key);
		client = ss_udp_client_new(&(struct ss_udp_client_options){ .server = &to, .method = method, .key = bob_key, .identity = identity });
		port = ss_udp_client_port(client);
		datagram_bind(port, &events, NULL);
		for (uint32_t len = 1; len <= 1000; len += 333) {
			struct slice s = pattern_slice(len, 3);
			struct datagram d = { .remote = &echo, .payload = s };

			datagram_send(port, &d, 1);
			slice_unref(s);
		}
		turn_until(echoed(4));
		assert_int_equal(counters(1)->datagrams_up, 4);
		assert_int_equal(counters(1)->udp_up, 1 + 334 + 667 + 1000);
		assert_int_equal(counters(1)->udp_down, 1 + 334 + 667 + 1000);
		assert_int_equal(counters(0)->udp_sessions, 0);
		datagram_end(port, END_SHUTDOWN);
		loop_turn();
		ss_udp_client_free(client);
		ss_identity_free(identity);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_users_with_one_session_id_do_not_meet),
		cmocka_unit_test(test_nobody_else_is_heard_or_answered),
		cmocka_unit_test(test_a_removed_user_s_sessions_end_and_no_other),
		cmocka_unit_test(test_a_changed_key_is_the_end_of_old_sessions),
		cmocka_unit_test(test_our_client_says_who_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
