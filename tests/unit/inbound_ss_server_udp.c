/*
 * Shadowsocks UDP from end to end over loopback: our client port, our server,
 * an association table and direct sockets, against a plain echo. Every method
 * and size; any remote may answer; nothing forged or replayed passes or
 * changes anything; a SIP022 client may move.
 */
#include "ss_server_udp_rig.h"

/* ---- tests ---- */

static void test_every_method_and_size(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 17, 1200, 1472, 9000, 65000, 65507 - 55 - 12 };

	(void)state;
	for (size_t m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
		struct target to;

		begin(methods[m], true);
		to = echo_target();
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			/* chacha20's front is longer than 55 bytes' worth */
			uint32_t len = sizes[i] > 65400 ? 65507u - 100 : sizes[i];

			send_up(&to, len, 0);
			turn_until(echoed((int)i + 1));
			assert_int_equal(back_len[i], len);
		}
		assert_true(back_intact);
		assert_true(addr_equal(&back_from, &echo_addr));
		end();
	}
}

static void test_a_run_is_split_and_every_part_sealed(void **state)
{
	(void)state;
	for (int m = 2; m < 8; m += 4) {
		struct target to;

		begin(methods[m], true);
		to = echo_target();
		send_up(&to, 50 * 100 + 7, 100);
		turn_until(echoed(51));
		for (int i = 0; i < 50; i++)
			assert_int_equal(back_len[i], 100);
		assert_int_equal(back_len[50], 7);
		end();
	}
}

static void test_too_large_is_counted(void **state)
{
	struct target to;
	uint64_t before;

	(void)state;
	begin("aes-256-gcm", true);
	to = echo_target();
	before = datagram_counters.too_big;
	send_up(&to, 65507, 0);
	assert_int_equal(datagram_counters.too_big, before + 1);
	end();
}

/* A STUN server sees one address, and somebody else may write to it. */
static void test_any_remote_may_answer(void **state)
{
	(void)state;
	for (int m = 2; m < 8; m += 4) {
		struct addr mapped, stranger;
		struct target to;
		int fd;

		begin(methods[m], true);
		to = echo_target();
		send_up(&to, 10, 0);
		turn_until(echo_once(&mapped));
		turn_until(n_back == 1);
		fd = plain_socket(&stranger);
		memset(scratch, 0, 5);
		scratch[0] = 0;
		plain_send(fd, &mapped, "", 1);
		turn_until(n_back == 2);
		assert_true(addr_equal(&back_from, &stranger));
		close(fd);
		end();
	}
}

static void test_names_are_resolved_by_the_server(void **state)
{
	struct target to;

	(void)state;
	rig.localhost = true;
	begin("2022-blake3-aes-256-gcm", true);
	assert_int_equal(target_set(&to, "localhost", 9, echo_addr.port), 0);
	for (int i = 0; i < 5; i++)
		send_up(&to, (uint32_t)(10 + i), 0);
	turn_until(echoed(5));
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(back_len[i], 10 + i); /* in order, the first ones waited */
	end();
}

static void test_local_targets_are_refused_unless_allowed(void **state)
{
	struct target ip, name;
	uint64_t before;

	(void)state;
	begin("aes-128-gcm", false);
	ip = echo_target();
	assert_int_equal(target_set(&name, "localhost", 9, echo_addr.port), 0);
	before = datagram_counters.dropped_acl;
	send_up(&ip, 10, 0);
	send_up(&name, 10, 0);
	turn_until(datagram_counters.dropped_acl == before + 2);
	assert_int_equal(echo_once(NULL), 0);
	end();
}

static void test_nothing_forged_passes_or_is_answered(void **state)
{
	(void)state;
	for (int m = 2; m < 8; m++) {
		struct raw_client r;
		uint8_t good[2000], bad[2000];
		size_t n;
		uint64_t refused;

		begin(methods[m], true);
		raw_begin(&r);
		n = raw_seal(&r, clock_unix(), good);
		refused = datagram_counters.dropped_crypto + datagram_counters.malformed;
		for (size_t len = 1; len < n; len++) { /* every truncation */
			plain_send(r.fd, &server_addr, good, len);
			turns(len % 16 == 15);
		}
		for (size_t i = 0; i < n; i++) { /* a flip in every byte */
			memcpy(bad, good, n);
			bad[i] ^= 0x10;
			plain_send(r.fd, &server_addr, bad, n);
			turns(i % 16 == 15);
		}
		turn_until(datagram_counters.dropped_crypto + datagram_counters.malformed == refused + 2 * n - 1);
		assert_int_equal(echo_once(NULL), 0);
		assert_int_equal(plain_receive(r.fd, bad, sizeof(bad), NULL), -1);
		/* The untouched one is still good: its id was not taken. */
		plain_send(r.fd, &server_addr, good, n);
		turn_until(echo_once(NULL) == 1);
		raw_end(&r);
		end();
	}
}

static void test_a_replay_changes_nothing(void **state)
{
	(void)state;
	for (int m = 2; m < 8; m++) {
		struct raw_client r;
		struct addr thief, mapped;
		uint8_t packet[2000], data[2000];
		size_t n;
		uint64_t replayed;
		int fd;

		begin(methods[m], true);
		raw_begin(&r);
		fd = plain_socket(&thief);
		n = raw_seal(&r, clock_unix(), packet);
		plain_send(r.fd, &server_addr, packet, n);
		turn_until(echo_once(&mapped) == 1);
		turn_until(plain_receive(r.fd, data, sizeof(data), NULL) > 0);
		replayed = datagram_counters.dropped_replay;
		plain_send(fd, &server_addr, packet, n);
		turn_until(datagram_counters.dropped_replay == replayed + 1);
		assert_int_equal(echo_once(NULL), 0);
		/* What the target sends still goes to the client. */
		plain_send(echo_fd, &mapped, "x", 1);
		turn_until(plain_receive(r.fd, data, sizeof(data), NULL) > 0);
		assert_int_equal(plain_receive(fd, data, sizeof(data), NULL), -1);
		close(fd);
		raw_end(&r);
		end();
	}
}

static void test_a_moved_client_gets_its_replies(void **state)
{
	struct raw_client r;
	struct addr moved, mapped, again;
	uint8_t packet[2000], data[2000];
	size_t n;
	int fd;

	(void)state;
	begin("2022-blake3-aes-128-gcm", true);
	raw_begin(&r);
	fd = plain_socket(&moved);
	n = raw_seal(&r, clock_unix(), packet);
	plain_send(r.fd, &server_addr, packet, n);
	turn_until(echo_once(&mapped) == 1);
	turn_until(plain_receive(r.fd, data, sizeof(data), NULL) > 0);
	n = raw_seal(&r, clock_unix(), packet);
	plain_send(fd, &server_addr, packet, n);
	turn_until(echo_once(&again) == 1);
	assert_true(addr_equal(&mapped, &again)); /* the same association */
	turn_until(plain_receive(fd, data, sizeof(data), NULL) > 0);
	close(fd);
	raw_end(&r);
	end();
}

static enum flow_end verdict;
static int n_asked;

static enum flow_end on_admit(void *owner, const struct addr *a)
{
	(void)owner, (void)a;
	n_asked++;
	return verdict;
}

/* Asked about new clients and those that moved, and only once they are authentic. */
static void test_the_owner_turns_clients_away(void **state)
{
	static const struct inbound_events events = { .admit = on_admit };

	(void)state;
	for (int m = 2; m < 8; m += 4) {
		struct raw_client r;
		uint8_t packet[2000], data[2000];
		uint64_t denied = datagram_counters.dropped_acl, forged = datagram_counters.dropped_crypto;
		size_t n;

		begin(methods[m], true);
		raw_begin(&r);
		ss_server_udp_ask(server, &events, NULL);
		n_asked = 0;
		verdict = END_DENIED;
		n = raw_seal(&r, clock_unix(), packet);
		packet[n - 1] ^= 1;
		plain_send(r.fd, &server_addr, packet, n);
		turn_until(datagram_counters.dropped_crypto == forged + 1);
		assert_int_equal(n_asked, 0);
		packet[n - 1] ^= 1;
		plain_send(r.fd, &server_addr, packet, n);
		turn_until(datagram_counters.dropped_acl == denied + 1);
		assert_int_equal(echo_once(NULL), 0);
		verdict = END_DONE;
		for (int i = 0; i < 3; i++) {
			plain_send(r.fd, &server_addr, packet, raw_seal(&r, clock_unix(), packet));
			turn_until(echo_once(NULL) == 1);
			turn_until(plain_receive(r.fd, data, sizeof(data), NULL) > 0);
		}
		assert_int_equal(n_asked, 2); /* the one turned away, and the first that was not */
		raw_end(&r);
		end();
	}
}

/* How many of n answers of `len` bytes reach fd. */
static int flood(const struct addr *mapped, int fd, int n, size_t len)
{
	int came = 0;

	drain(fd);
	memset(scratch, 0, len);
	for (int i = 0; i < n; i++) {
		plain_send(echo_fd, mapped, scratch, len);
		turns(1);
		came += drain(fd);
	}
	turns(5);
	return came + drain(fd);
}

/* An address that may be forged gets no more than its share, wherever the session
 * was before; a proof by TCP lifts it. */
static void test_amplification_is_bounded_until_the_address_is_proven(void **state)
{
	(void)state;
	for (int m = 2; m < 8; m += 4) {
		struct amplification guard = { .factor = 20, .proven = proven_new(false) };
		struct raw_client r;
		struct addr mapped, moved;
		uint64_t dropped = flow_counters.udp.dropped_amplification;
		size_t n, share;
		int fd, came;

		begin(methods[m], true);
		ss_server_udp_guard(server, &guard);
		raw_begin(&r);
		n = exchange(&r, r.fd, &mapped) + 28;
		share = n * 20 / (1000 + 28 + method->udp_overhead + 12u);
		came = flood(&mapped, r.fd, 10, 1000);
		assert_in_range(came, share - 1, share);
		assert_int_equal(flow_counters.udp.dropped_amplification - dropped, 10 - came);
		if (method->sip022) { /* what was earned here is not for elsewhere */
			fd = plain_socket(&moved);
			for (int i = 0; i < 20; i++)
				exchange(&r, r.fd, NULL);
			exchange(&r, fd, NULL);
			assert_in_range(flood(&mapped, fd, 10, 1000), share - 1, share);
			exchange(&r, r.fd, NULL);
			close(fd);
		}
		proven_note((struct proven *)(uintptr_t)guard.proven, &r.self, loop_now());
		assert_int_equal(flood(&mapped, r.fd, 30, 1000), 30);
		raw_end(&r);
		end();
		proven_free((struct proven *)(uintptr_t)guard.proven);
	}
}

/* The association is gone after a name query's 10 s; its packets must not live again. */
static void test_a_forgotten_session_cannot_be_replayed(void **state)
{
	struct raw_client r;
	uint8_t first[2000], second[2000], third[2000];
	struct assoc_key k = { .session = 0x1122334455667788 };
	struct datagram_port *p;
	size_t n1, n2, n3;
	uint64_t replayed;

	(void)state;
	begin("2022-blake3-aes-256-gcm", true);
	p = ss_server_udp_port(server);
	raw_begin(&r);
	n1 = raw_seal(&r, clock_unix(), first);
	n2 = raw_seal(&r, clock_unix(), second);
	n3 = raw_seal(&r, clock_unix(), third);
	plain_send(r.fd, &server_addr, second, n2);
	turn_until(echo_once(NULL) == 1);
	p->ops->forget(p, &k);
	replayed = datagram_counters.dropped_replay;
	plain_send(r.fd, &server_addr, first, n1);
	plain_send(r.fd, &server_addr, second, n2);
	turn_until(datagram_counters.dropped_replay == replayed + 2);
	assert_int_equal(echo_once(NULL), 0);
	plain_send(r.fd, &server_addr, third, n3); /* it goes on with what is new */
	turn_until(echo_once(NULL) == 1);
	plain_send(r.fd, &server_addr, second, n2);
	turn_until(datagram_counters.dropped_replay == replayed + 3);
	raw_end(&r);
	end();
}

static void test_a_wrong_clock_is_refused(void **state)
{
	static const int off[] = { -31, 31, -29, 29 };
	struct raw_client r;
	uint8_t packet[2000];

	(void)state;
	begin("2022-blake3-aes-256-gcm", true);
	raw_begin(&r);
	for (int i = 0; i < 4; i++) {
		size_t n = raw_seal(&r, clock_unix() + (uint64_t)(int64_t)off[i], packet);
		uint64_t bad = datagram_counters.malformed;

		plain_send(r.fd, &server_addr, packet, n);
		if (i < 2)
			turn_until(datagram_counters.malformed == bad + 1);
		else
			turn_until(echo_once(NULL) == 1);
	}
	raw_end(&r);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_method_and_size),
		cmocka_unit_test(test_a_run_is_split_and_every_part_sealed),
		cmocka_unit_test(test_too_large_is_counted),
		cmocka_unit_test(test_any_remote_may_answer),
		cmocka_unit_test(test_names_are_resolved_by_the_server),
		cmocka_unit_test(test_local_targets_are_refused_unless_allowed),
		cmocka_unit_test(test_nothing_forged_passes_or_is_answered),
		cmocka_unit_test(test_a_replay_changes_nothing),
		cmocka_unit_test(test_a_moved_client_gets_its_replies),
		cmocka_unit_test(test_the_owner_turns_clients_away),
		cmocka_unit_test(test_amplification_is_bounded_until_the_address_is_proven),
		cmocka_unit_test(test_a_forgotten_session_cannot_be_replayed),
		cmocka_unit_test(test_a_wrong_clock_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
