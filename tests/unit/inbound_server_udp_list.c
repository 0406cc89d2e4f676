/*
 * What a UDP server of Shadowsocks must do better than the ones before it:
 * docs/wire-formats.md, "What a UDP server owes", a test for each by its letter.
 */
#include <dirent.h>

#include "udp_names.h"
#include "ss_server_udp_rig.h"

#include "engine/common.h"
#include "flow/counters.h"
#include "io/udp_socket.h"

static int sip004(int m) { return m < 5; }

/* A datagram to `to`, by hand. */
static size_t seal_to(struct raw_client *r, const struct target *to, const void *data, size_t len, uint8_t *out)
{
	struct ss_packet_out o = { .remote = to, .now = clock_unix() };
	ssize_t n = ss_packet_seal(&r->codec, &r->session, &o, data, len, out, 2000);

	assert_true(n > 0);
	return (size_t)n;
}

static void say(struct raw_client *r, const struct target *to, const void *data, size_t len)
{
	uint8_t packet[2000];

	plain_send(r->fd, &server_addr, packet, seal_to(r, to, data, len, packet));
}

/* ---- (a) the same keys, the least recently used goes at the cap, idle times ---- */

static void a_a_client_is_an_address_or_a_session(void **state)
{
	(void)state;
	for (int m = 0; m < 8; m++) {
		struct raw_client r, other;
		struct addr first, second;
		int moved, sessions;

		begin(methods[m], true);
		raw_begin(&r);
		raw_begin(&other); /* SIP022: the same session, from another port */
		exchange(&r, r.fd, &first);
		sessions = (int)flow_counters.udp.sessions_active;
		moved = other.fd;
		exchange(&r, moved, &second); /* the next datagram, from there */
		assert_int_equal(flow_counters.udp.sessions_active, sessions + sip004(m));
		assert_int_equal(addr_equal(&first, &second), !sip004(m));
		ss_packet_session_init(&r.codec, &r.session, 77); /* SIP022: another session, from the same port */
		exchange(&r, moved, &second);
		assert_int_equal(flow_counters.udp.sessions_active, sessions + 1);
		raw_end(&other);
		raw_end(&r);
		end();
	}
}

static void a_at_the_cap_the_least_recently_used_goes(void **state)
{
	(void)state;
	for (int m = 2; m < 8; m += 4) {
		uint64_t evicted = flow_counters.udp.evicted;
		struct raw_client r[6];

		rig.max = 4;
		begin(methods[m], true);
		for (uint64_t i = 0; i < 6; i++) {
			raw_begin(&r[i]);
			ss_packet_session_init(&r[i].codec, &r[i].session, 100 + i);
			exchange(&r[i], r[i].fd, NULL);
		}
		assert_int_equal(flow_counters.udp.sessions_active, 4);
		assert_int_equal(flow_counters.udp.evicted, evicted + 2);
		for (int i = 0; i < 6; i++)
			raw_end(&r[i]);
		end();
	}
}

static void a_idle_times_never_under_a_minute_for_sip022(void **state)
{
	struct config c = { .udp_timeout = 300 };

	(void)state;
	assert_int_equal(engine_assoc_limits(&c, ss_method_find("aes-256-gcm")).idle_s, 300);
	c.udp_timeout = 10;
	assert_int_equal(engine_assoc_limits(&c, ss_method_find("aes-256-gcm")).idle_s, 10);
	assert_int_equal(engine_assoc_limits(&c, ss_method_find("2022-blake3-aes-256-gcm")).idle_s, 60);
}

/* ---- (b) address and window only after validation and the window's consent ---- */

/* A plain socket of another host. */
static int socket_of_another_host(void)
{
	struct addr a = addr_v4((const uint8_t[]){ 127, 0, 0, 7 }, 0);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&a, &ss);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

/* Each of what a thief can send from elsewhere: all of it recorded, with every byte
 * flipped, and cut. The client's replies go on to the client, and its own next datagrams pass. */
static void b_a_replay_from_another_address_changes_nothing(void **state)
{
	(void)state;
	for (int m = 0; m < 8; m++) {
		struct raw_client r;
		struct addr mapped;
		uint8_t flights[8][2000], bad[2000];
		size_t len[8];
		int fd;

		begin(methods[m], true);
		raw_begin(&r);
		fd = socket_of_another_host();
		for (int i = 0; i < 8; i++) {
			len[i] = raw_seal(&r, clock_unix(), flights[i]);
			if (i == 6)
				continue; /* never arrived: the thief has it alone, and flips it */
			plain_send(r.fd, &server_addr, flights[i], len[i]);
			turn_until(echo_once(&mapped) == 1);
			turn_until(drain(r.fd) == 1);
		}
		for (int i = 0; i < 8; i++)
			if (i != 6)
				plain_send(fd, &server_addr, flights[i], len[i]);
		for (size_t i = 0; i < len[6]; i++) {
			memcpy(bad, flights[6], len[6]);
			bad[i] ^= 1;
			plain_send(fd, &server_addr, bad, len[6]);
			plain_send(fd, &server_addr, flights[6], i);
			turns(i % 16 == 0);
		}
		turns(10);
		assert_int_equal(echo_once(NULL), 0);
		plain_send(echo_fd, &mapped, "x", 1);
		turn_until(drain(r.fd) == 1);
		assert_int_equal(drain(fd), 0);
		plain_send(r.fd, &server_addr, flights[6], len[6]); /* late, and its place in the window is free */
		turn_until(echo_once(NULL) == 1);
		turn_until(drain(r.fd) == 1);
		exchange(&r, r.fd, NULL);
		close(fd);
		raw_end(&r);
		end();
	}
}

/* ---- (c) the client ---- */

struct raw_server {
	struct ss_packet_codec codec;
	struct ss_packet_session ours, theirs;
	int fd;
	struct addr self, peer;
	uint64_t client_session;
};

static void raw_server_hear(struct raw_server *s)
{
	static uint8_t data[2000];
	struct ss_packet p;
	ssize_t n;

	turn_until((n = plain_receive(s->fd, data, sizeof(data), &s->peer)) > 0);
	assert_int_equal(ss_packet_identify(&s->codec, data, (size_t)n, &p), 0);
	ss_packet_session_init(&s->codec, &s->theirs, p.session_id);
	assert_int_equal(ss_packet_open(&s->codec, &s->theirs, clock_unix(), data, (size_t)n, &p), 0);
	ss_packet_session_wipe(&s->theirs);
	s->client_session = p.session_id;
}

static size_t raw_server_seal(struct raw_server *s, uint64_t echo_id, uint8_t *out)
{
	struct target from = echo_target();
	struct ss_packet_out o = { .remote = &from, .now = clock_unix(), .client_session_id = echo_id };
	ssize_t n = ss_packet_seal(&s->codec, &s->ours, &o, (const uint8_t *)"\0", 1, out, 2000);

	assert_true(n > 0);
	return (size_t)n;
}

static void raw_server_say(struct raw_server *s, uint64_t echo_id)
{
	uint8_t out[2000];
	size_t n = raw_server_seal(s, echo_id, out);

	plain_send(s->fd, &s->peer, out, n);
}

static void new_session(struct raw_server *s, uint64_t id)
{
	ss_packet_session_wipe(&s->ours);
	ss_packet_session_init(&s->codec, &s->ours, id);
}

static void c_the_client_checks_the_echo_and_keeps_two_sessions(void **state)
{
	struct raw_server s = { 0 };
	struct target to, at;
	uint8_t packet[2000];
	uint64_t before;
	size_t n;

	(void)state;
	begin("2022-blake3-aes-256-gcm", true);
	to = echo_target();
	/* Another client, whose server is the test. */
	datagram_end(port, END_SHUTDOWN);
	loop_turn();
	ss_udp_client_free(client);
	assert_int_equal(ss_packet_codec_init(&s.codec, method, SS_SERVER, key), 0);
	s.fd = plain_socket(&s.self);
	target_from_addr(&at, &s.self);
	client = ss_udp_client_new(&(struct ss_udp_client_options){ .server = &at, .method = method, .key = key });
	port = ss_udp_client_port(client);
	datagram_bind(port, &back_events, NULL);
	send_up(&to, 10, 0);
	raw_server_hear(&s);

	new_session(&s, 100);
	raw_server_say(&s, s.client_session);
	turn_until(n_back == 1);
	before = datagram_counters.malformed;
	raw_server_say(&s, s.client_session + 1); /* somebody else's */
	turn_until(datagram_counters.malformed == before + 1);
	n = raw_server_seal(&s, s.client_session, packet);
	plain_send(s.fd, &s.peer, packet, n);
	turn_until(n_back == 2);
	before = datagram_counters.dropped_replay;
	plain_send(s.fd, &s.peer, packet, n);
	turn_until(datagram_counters.dropped_replay == before + 1);

	new_session(&s, 200); /* the server restarted */
	raw_server_say(&s, s.client_session);
	turn_until(n_back == 3);
	before = datagram_counters.malformed;
	new_session(&s, 300); /* again within a minute: refused */
	raw_server_say(&s, s.client_session);
	turn_until(datagram_counters.malformed == before + 1);
	assert_int_equal(n_back, 3);
	ss_packet_session_wipe(&s.ours);
	ss_packet_codec_wipe(&s.codec);
	close(s.fd);
	end();
}

/* ---- (d) full cone, one socket for each family on first use, v4-mapped is IPv4 ---- */

static int plain_socket6(struct addr *self)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0)
		return -1;
	getsockname(fd, (struct sockaddr *)&a, &len);
	*self = addr_from_sockaddr((struct sockaddr *)&a);
	return fd;
}

static int open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void d_any_remote_may_answer_over_one_socket_for_each_family(void **state)
{
	struct addr six, mapped, stranger, again;
	struct target to6;
	int fd6 = plain_socket6(&six), stranger_fd;
	int before;

	(void)state;
	if (fd6 < 0)
		skip();
	target_from_addr(&to6, &six);
	for (int m = 2; m < 8; m += 4) {
		struct raw_client r;

		begin(methods[m], true);
		raw_begin(&r);
		before = open_descriptors();
		exchange(&r, r.fd, &mapped);
		assert_int_equal(open_descriptors(), before + 1); /* IPv4's, and not the other */
		exchange(&r, r.fd, &again);
		assert_true(addr_equal(&mapped, &again));
		assert_int_equal(open_descriptors(), before + 1);
		say(&r, &to6, "six", 3);
		turn_until(plain_receive(fd6, scratch, sizeof(scratch), NULL) == 3);
		assert_int_equal(open_descriptors(), before + 2);
		stranger_fd = plain_socket(&stranger);
		plain_send(stranger_fd, &mapped, "hi", 2);
		turn_until(drain(r.fd) == 1);
		close(stranger_fd);
		raw_end(&r);
		end();
	}
	close(fd6);
}

static void d_a_v4_mapped_target_is_ipv4(void **state)
{
	struct target mapped = { .ip = { .family = AF_INET6, .ip.bytes = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } } };
	struct ss_packet p;
	struct ss_packet_session theirs;
	uint8_t data[2000];
	ssize_t n;

	(void)state;
	for (int m = 2; m < 8; m += 4) {
		struct raw_client r;

		rig.localhost = true;
		begin(methods[m], true);
		raw_begin(&r);
		mapped.ip.port = echo_addr.port;
		say(&r, &mapped, "map", 3);
		turn_until(echo_once(NULL) == 1);
		turn_until((n = plain_receive(r.fd, data, sizeof(data), NULL)) > 0);
		assert_int_equal(ss_packet_identify(&r.codec, data, (size_t)n, &p), 0);
		ss_packet_session_init(&r.codec, &theirs, p.session_id);
		assert_int_equal(ss_packet_open(&r.codec, &theirs, clock_unix(), data, (size_t)n, &p), 0);
		assert_true(addr_equal(&p.remote.ip, &echo_addr)); /* the reply's source: plain IPv4 */
		ss_packet_session_wipe(&theirs);
		raw_end(&r);
		end();
	}
}

/* ---- (e), (f): what waits for a name is bounded, counted, in order, and in nobody's way ---- */

static void begin_with_names(const char *name, struct target *slow)
{
	static char where[ADDR_STRLEN];

	dns_fd = plain_socket(&dns_addr);
	rig.names = addr_format(&dns_addr, where);
	rig.localhost = true;
	begin(name, true);
	assert_int_equal(target_set(slow, "slow.test", 9, echo_addr.port), 0);
}

static void e_the_queue_of_an_association_is_bounded_and_counted(void **state)
{
	(void)state;
	for (int m = 2; m < 8; m += 4) {
		uint64_t before = datagram_counters.dropped_queue;
		struct raw_client r, other;
		struct target slow;

		begin_with_names(methods[m], &slow);
		raw_begin(&r);
		raw_begin(&other);
		ss_packet_session_init(&other.codec, &other.session, 99);
		for (int i = 0; i < 1100; i++) {
			say(&r, &slow, "waits", 5);
			turns(i % 32 == 0);
		}
		turn_until(datagram_counters.dropped_queue > before);
		assert_in_range(datagram_counters.dropped_queue - before, 1, 1100 - 64);
		exchange(&other, other.fd, NULL); /* another association has a queue of its own */
		raw_end(&other);
		raw_end(&r);
		end();
		close(dns_fd);
	}
}

static void f_order_is_kept_while_a_name_resolves(void **state)
{
	(void)state;
	for (int m = 2; m < 8; m += 4) {
		struct raw_client r;
		struct target slow;
		uint8_t number;

		begin_with_names(methods[m], &slow);
		raw_begin(&r);
		for (number = 0; number < 100; number++) {
			say(&r, &slow, &number, 1);
			turns(number % 16 == 0);
		}
		turns(5);
		assert_int_equal(plain_receive(echo_fd, scratch, sizeof(scratch), NULL), -1);
		turn_until(answer_dns(here, 1, true));
		for (uint8_t i = 0; i < 100; i++) {
			turn_until(plain_receive(echo_fd, scratch, sizeof(scratch), NULL) == 1);
			assert_int_equal(scratch[0], i);
		}
		say(&r, &slow, "now", 3); /* nobody is asked again */
		turn_until(plain_receive(echo_fd, scratch, sizeof(scratch), NULL) == 3);
		assert_int_equal(answer_dns(here, 1, true), 0);
		raw_end(&r);
		end();
		close(dns_fd);
	}
}

/* ---- (g) replies leave from the address that the client used ---- */

static void g_replies_leave_from_the_address_used(void **state)
{
	struct addr from;

	(void)state;
	for (int m = 2; m < 8; m += 4) {
		struct raw_client r;

		rig.listen = addr_v4((const uint8_t[4]){ 0 }, 0);
		begin(methods[m], true);
		raw_begin(&r);
		for (uint8_t host = 1; host < 4; host++) {
			server_addr.ip.bytes[0] = 127;
			server_addr.ip.bytes[3] = host;
			plain_send(r.fd, &server_addr, scratch, raw_seal(&r, clock_unix(), scratch));
			turn_until(echo_once(NULL) == 1);
			turn_until(plain_receive(r.fd, scratch, sizeof(scratch), &from) > 0);
			assert_true(addr_equal(&from, &server_addr));
		}
		raw_end(&r);
		end();
	}
}

/* ---- (h) what the network says about our datagrams is counted ---- */

static void h_a_closed_port_is_counted_and_harms_nothing(void **state)
{
	(void)state;
	for (int m = 2; m < 8; m += 4) {
		uint64_t before = udp_socket_counters.closed_port;
		struct raw_client r;
		struct target nobody;
		struct addr a;
		int fd;

		begin(methods[m], true);
		raw_begin(&r);
		fd = plain_socket(&a);
		close(fd);
		target_from_addr(&nobody, &a);
		exchange(&r, r.fd, NULL);
		say(&r, &nobody, "x", 1);
		turn_until(udp_socket_counters.closed_port > before);
		exchange(&r, r.fd, NULL); /* the same socket, and it works */
		raw_end(&r);
		end();
	}
}

/* ---- (i) several datagrams leave in one call ---- */

static void i_datagrams_leave_in_groups(void **state)
{
	(void)state;
	for (int m = 2; m < 8; m += 4) {
		struct udp_socket_counters before;
		struct target to;

		begin(methods[m], true);
		to = echo_target();
		before = udp_socket_counters;
		send_up(&to, 64 * 100, 100);
		turn_until(echoed(64));
		/* Up through the client and the server, and down again: four hops of 64. */
		assert_in_range(udp_socket_counters.tx_datagrams - before.tx_datagrams, 256 - 64, 256);
		assert_true(udp_socket_counters.tx_calls - before.tx_calls < 100);
		end();
	}
}

/* ---- (j) each user's numbers; a server without users has one who is everybody ---- */

static void j_users_are_counted(void **state)
{
	(void)state;
	for (int m = 2; m < 8; m += 4) {
		const struct ss_user_counters *n;
		struct raw_client r;

		random_bytes(key, sizeof(key));
		rig.users = ss_users_new(ss_method_find(methods[m]), key);
		assert_int_equal(ss_users_add_anyone(rig.users), 0);
		n = &ss_users_anyone(rig.users)->counters;
		struct ss_users *users = rig.users;
		begin(methods[m], true);
		raw_begin(&r);
		for (int i = 0; i < 3; i++)
			exchange(&r, r.fd, NULL);
		assert_int_equal(n->udp_sessions, 1);
		assert_int_equal(n->datagrams_up, 3);
		assert_int_equal(n->datagrams_down, 3);
		assert_int_equal(n->udp_up, 15);
		assert_int_equal(n->udp_down, 15);
		raw_end(&r);
		end();
		ss_users_free(users);
	}
}

/* ---- (k) never an answer to what does not verify ---- */

static void k_nothing_wrong_is_answered(void **state)
{
	(void)state;
	for (int m = 0; m < 8; m++) {
		struct raw_client r;
		uint8_t bytes[2000];
		uint64_t opened;

		begin(methods[m], true);
		raw_begin(&r);
		opened = flow_counters.udp.sessions_opened;
		for (size_t len = 0; len < 400; len++) {
			random_bytes(bytes, sizeof(bytes));
			plain_send(r.fd, &server_addr, bytes, len);
			turns(len % 32 == 0);
		}
		turns(10);
		assert_int_equal(drain(r.fd), 0);
		assert_int_equal(flow_counters.udp.sessions_opened, opened);
		exchange(&r, r.fd, NULL);
		raw_end(&r);
		end();
	}
}

/* ---- (l) a session's keys go with it ---- */

static void l_keys_end_with_their_session(void **state)
{
	struct assoc_key k = { .session = 0x1122334455667788 };
	struct raw_client r;
	struct addr peer;

	(void)state;
	for (int m = 5; m < 8; m++) {
		begin(methods[m], true);
		raw_begin(&r);
		exchange(&r, r.fd, NULL);
		ss_server_udp_whose(server, &k, &peer);
		assert_true(addr_equal(&peer, &r.self)); /* known, with its keys */
		assoc_table_end(table, &k, END_IDLE);
		ss_server_udp_whose(server, &k, &peer);
		assert_int_equal(peer.family, 0); /* gone; a leak of them the sanitizer would find */
		exchange(&r, r.fd, NULL); /* the client does not know: its next datagram begins anew */
		raw_end(&r);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_a_client_is_an_address_or_a_session),
		cmocka_unit_test(a_at_the_cap_the_least_recently_used_goes),
		cmocka_unit_test(a_idle_times_never_under_a_minute_for_sip022),
		cmocka_unit_test(b_a_replay_from_another_address_changes_nothing),
		cmocka_unit_test(c_the_client_checks_the_echo_and_keeps_two_sessions),
		cmocka_unit_test(d_any_remote_may_answer_over_one_socket_for_each_family),
		cmocka_unit_test(d_a_v4_mapped_target_is_ipv4),
		cmocka_unit_test(e_the_queue_of_an_association_is_bounded_and_counted),
		cmocka_unit_test(f_order_is_kept_while_a_name_resolves),
		cmocka_unit_test(g_replies_leave_from_the_address_used),
		cmocka_unit_test(h_a_closed_port_is_counted_and_harms_nothing),
		cmocka_unit_test(i_datagrams_leave_in_groups),
		cmocka_unit_test(j_users_are_counted),
		cmocka_unit_test(k_nothing_wrong_is_answered),
		cmocka_unit_test(l_keys_end_with_their_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
