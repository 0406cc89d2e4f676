/* Identity headers (SIP023) are byte for byte what the peers make; a server finds
 * the user that a header names, and lets nobody else in, over TCP and over UDP. */
#include "vectors.h"

#include <errno.h>

#include "crypto/random.h"
#include "proto/ss_users.h"
#include "proto/ss_packet.h"
#include "proto/ss_stream.h"

#define TS 1700000000u

static const char *const methods[] = { "2022-blake3-aes-128-gcm", "2022-blake3-aes-256-gcm" };

static struct target target_of(const char *text)
{
	struct target t;

	assert_int_equal(target_parse(text, &t), 0);
	return t;
}

/* ---- known answers ---- */

static void tcp_known_answer(void **state)
{
	const struct ss_method *m = ss_method_find(methods[0]);
	struct target t = target_of("1.2.3.4:443");
	uint8_t keys[1][SS_KEY_MAX], user[16], salt[16], want[64], out[512];
	struct ss_identity *id;
	struct ss_sealer s;

	(void)state;
	count_up(keys[0], 0, 16);
	count_up(user, 0x10, 16);
	count_up(salt, 0xa0, 16);
	id = ss_identity_new(m, (const uint8_t (*)[SS_KEY_MAX])keys, 1, user);
	assert_int_equal(vector("shadowsocks.txt", "blake3(uPSK=10..1f)[:16]", want, sizeof(want)), 16);
	assert_memory_equal(id->hashes[0], want, 16);
	assert_int_equal(vector("shadowsocks.txt", "tcp EIH (iPSK=00..0f)", want, sizeof(want)), 16);
	ss_identity_put_tcp(id, salt, out);
	assert_memory_equal(out, want, 16);
	/* and in a request it stands behind the salt */
	ss_sealer_init(&s, m, user, salt);
	assert_int_equal(ss_request_offset(m, id, &t, 3), ss_request_offset(m, NULL, &t, 3) + 16);
	memcpy(out + ss_request_offset(m, id, &t, 3), "hello", 5);
	ss_seal_request(&s, id, salt, TS, &t, 3, 5, out);
	assert_memory_equal(out, salt, 16);
	assert_memory_equal(out + 16, want, 16);
	ss_sealer_wipe(&s);
	ss_identity_free(id);
}

static void udp_known_answer(void **state)
{
	const struct ss_method *m = ss_method_find(methods[0]);
	struct target t = target_of("1.2.3.4:443");
	struct ss_packet_out o = { .remote = &t, .now = TS };
	uint8_t keys[1][SS_KEY_MAX], user[16], want[256], got[256];
	struct ss_packet_session s;
	struct ss_packet_codec c;
	struct ss_identity *id;
	size_t len = vector("shadowsocks.txt", "udp c->s with EIH iPSK=00..0f uPSK=10..1f", want, sizeof(want));

	(void)state;
	count_up(keys[0], 0, 16);
	count_up(user, 0x10, 16);
	id = ss_identity_new(m, (const uint8_t (*)[SS_KEY_MAX])keys, 1, user);
	assert_int_equal(ss_packet_codec_init(&c, m, SS_CLIENT, user), 0);
	ss_packet_codec_set_identity(&c, id);
	ss_packet_session_init(&c, &s, 0x0102030405060708);
	assert_int_equal(ss_packet_seal(&c, &s, &o, (const uint8_t *)"hello", 5, got, sizeof(got)), len);
	assert_memory_equal(got, want, len);
	/* every byte is asked for */
	s.next_packet_id = 1;
	assert_int_equal(ss_packet_seal(&c, &s, &o, (const uint8_t *)"hello", 5, got, len - 1), -EMSGSIZE);
	ss_packet_session_wipe(&s);
	ss_packet_codec_wipe(&c);
	ss_identity_free(id);
}

/* ---- a server with users ---- */

struct site {
	const struct ss_method *m;
	uint8_t server[1][SS_KEY_MAX], alice[SS_KEY_MAX], bob[SS_KEY_MAX];
	struct ss_users *users;
};

static void site_open(struct site *s, const char *method)
{
	s->m = ss_method_find(method);
	random_bytes(s->server, sizeof(s->server));
	random_bytes(s->alice, sizeof(s->alice));
	random_bytes(s->bob, sizeof(s->bob));
	s->users = ss_users_new(s->m, s->server[0]);
	assert_int_equal(ss_users_add(s->users, "alice", s->alice), 0);
	assert_int_equal(ss_users_add(s->users, "bob", s->bob), 0);
	assert_int_equal(ss_users_add(s->users, "bob's twin", s->bob), -EEXIST);
	assert_int_equal(ss_users_count(s->users), 2);
	assert_string_equal(ss_users_at(s->users, 1)->name, "bob");
}

static struct ss_identity *say(const struct site *s, const uint8_t *user)
{
	return ss_identity_new(s->m, (const uint8_t (*)[SS_KEY_MAX])s->server, 1, user);
}

/* A request of `id` under `key`; its length. */
static size_t request(const struct site *s, const struct ss_identity *id, const uint8_t *key, uint8_t *wire)
{
	struct target t = target_of("example.com:80");
	uint8_t salt[SS_SALT_MAX];
	struct ss_sealer sealer;
	size_t n;

	random_bytes(salt, sizeof(salt));
	ss_sealer_init(&sealer, s->m, key, salt);
	memcpy(wire + ss_request_offset(s->m, id, &t, 0), "hello", 5);
	n = ss_seal_request(&sealer, id, salt, TS, &t, 0, 5, wire);
	ss_sealer_wipe(&sealer);
	return n;
}

/* What the server makes of it; *user is who came. */
static int open_request(const struct site *s, uint8_t *wire, size_t len, struct ss_user **user)
{
	struct ss_handshake hs = { 0 };
	struct ss_opened out;
	struct ss_opener o;
	int rc = 0;

	ss_opener_init(&o, s->m, true);
	ss_opener_use_users(&o, &hs, s->users);
	assert_int_equal(o.need, s->m->key_len + 16 + 27);
	for (size_t at = 0; !rc && at < len && !o.addressed;) {
		size_t need = o.need;

		assert_true(at + need <= len);
		rc = ss_opener_next(&o, s->server[0], &hs, TS, wire + at, &out);
		at += need;
	}
	if (!rc) {
		assert_int_equal(out.len, 5);
		assert_memory_equal(out.data, "hello", 5);
	}
	*user = hs.user;
	ss_opener_wipe(&o);
	return rc;
}

static void tcp_users_are_told_apart(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct site s;
		uint8_t wire[512];
		struct ss_user *who;

		site_open(&s, methods[i]);
		for (int k = 0; k < 2; k++) {
			const uint8_t *key = k ? s.bob : s.alice;
			struct ss_identity *id = say(&s, key);

			assert_int_equal(open_request(&s, wire, request(&s, id, key, wire), &who), 0);
			assert_ptr_equal(who, ss_users_at(s.users, k));
			ss_identity_free(id);
		}
		ss_users_free(s.users);
	}
}

static void tcp_nobody_else_is_let_in(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct site s;
		uint8_t wire[512], stranger[SS_KEY_MAX], other[1][SS_KEY_MAX];
		struct ss_identity *id;
		struct ss_user *who;
		size_t len;

		site_open(&s, methods[i]);
		random_bytes(stranger, sizeof(stranger));
		random_bytes(other, sizeof(other));
		/* a key that no user has */
		id = say(&s, stranger);
		assert_int_equal(open_request(&s, wire, request(&s, id, stranger, wire), &who), -EBADMSG);
		/* the same, sealed with the server's key, which every user knows */
		assert_int_equal(open_request(&s, wire, request(&s, id, s.server[0], wire), &who), -EBADMSG);
		ss_identity_free(id);
		/* alice's name without alice's key */
		id = say(&s, s.alice);
		assert_int_equal(open_request(&s, wire, request(&s, id, s.bob, wire), &who), -EBADMSG);
		/* a bit of the header flipped */
		len = request(&s, id, s.alice, wire);
		wire[s.m->key_len + 3] ^= 4;
		assert_int_equal(open_request(&s, wire, len, &who), -EBADMSG);
		/* alice's header with another salt */
		len = request(&s, id, s.alice, wire);
		wire[0] ^= 1;
		assert_int_equal(open_request(&s, wire, len, &who), -EBADMSG);
		ss_identity_free(id);
		/* another server's user */
		id = ss_identity_new(s.m, (const uint8_t (*)[SS_KEY_MAX])other, 1, s.alice);
		assert_int_equal(open_request(&s, wire, request(&s, id, s.alice, wire), &who), -EBADMSG);
		ss_identity_free(id);
		/* nobody's name */
		assert_int_equal(open_request(&s, wire, request(&s, NULL, s.server[0], wire), &who), -EBADMSG);
		assert_int_equal(open_request(&s, wire, request(&s, NULL, s.alice, wire), &who), -EBADMSG);
		ss_users_free(s.users);
	}
}

/* ---- UDP ---- */

static size_t packet(const struct site *s, const struct ss_identity *id, const uint8_t *key, uint64_t sid, uint8_t *wire)
{
	struct target t = target_of("1.2.3.4:443");
	struct ss_packet_out o = { .remote = &t, .now = TS };
	struct ss_packet_session session;
	struct ss_packet_codec c;
	ssize_t n;

	assert_int_equal(ss_packet_codec_init(&c, s->m, SS_CLIENT, key), 0);
	if (id)
		ss_packet_codec_set_identity(&c, id);
	ss_packet_session_init(&c, &session, sid);
	n = ss_packet_seal(&c, &session, &o, (const uint8_t *)"hello", 5, wire, 512);
	assert_int_equal(n, 50 + 5 + ss_identity_len(id));
	ss_packet_session_wipe(&session);
	ss_packet_codec_wipe(&c);
	return (size_t)n;
}

static int open_packet(const struct site *s, uint8_t *wire, size_t len, struct ss_packet *p)
{
	struct ss_packet_session session;
	struct ss_packet_codec c;
	int rc;

	assert_int_equal(ss_packet_codec_init(&c, s->m, SS_SERVER, s->server[0]), 0);
	ss_packet_codec_set_users(&c, s->users);
	rc = ss_packet_identify(&c, wire, len, p);
	if (!rc) {
		ss_packet_session_init_for(&c, &session, p->session_id, p->user);
		rc = ss_packet_open(&c, &session, TS, wire, len, p);
		ss_packet_session_wipe(&session);
	}
	ss_packet_codec_wipe(&c);
	return rc;
}

static void udp_users_are_told_apart_and_nobody_else_is_let_in(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct ss_identity *alice, *stranger;
		uint8_t wire[512], key[SS_KEY_MAX];
		struct ss_packet p;
		struct site s;
		size_t len;

		site_open(&s, methods[i]);
		random_bytes(key, sizeof(key));
		alice = say(&s, s.alice);
		stranger = say(&s, key);
		assert_int_equal(open_packet(&s, wire, packet(&s, alice, s.alice, 77, wire), &p), 0);
		assert_ptr_equal(p.user, ss_users_at(s.users, 0));
		assert_int_equal(p.session_id, 77);
		assert_int_equal(p.len, 5);
		assert_memory_equal(p.payload, "hello", 5);
		assert_int_equal(open_packet(&s, wire, packet(&s, alice, s.bob, 77, wire), &p), -EBADMSG);
		assert_int_equal(open_packet(&s, wire, packet(&s, stranger, key, 77, wire), &p), -EBADMSG);
		assert_int_equal(open_packet(&s, wire, packet(&s, stranger, s.server[0], 77, wire), &p), -EBADMSG);
		assert_int_equal(open_packet(&s, wire, packet(&s, NULL, s.server[0], 77, wire), &p), -EPROTO); /* too short */
		/* every length and a flip in every byte */
		for (len = 0; len < 71; len++) {
			size_t n = packet(&s, alice, s.alice, 77, wire);

			assert_int_equal(n, 71);
			assert_true(open_packet(&s, wire, len, &p) < 0);
			packet(&s, alice, s.alice, 77, wire);
			wire[len] ^= 0x40;
			assert_int_equal(open_packet(&s, wire, n, &p), -EBADMSG);
		}
		ss_identity_free(alice);
		ss_identity_free(stranger);
		ss_users_free(s.users);
	}
}

/* Replies use the user's key alone, ids included, and carry no identity. */
static void udp_replies_are_the_users_own(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct target t = target_of("1.2.3.4:443");
		struct ss_packet_out o = { .remote = &t, .now = TS, .client_session_id = 77 };
		struct ss_packet_codec server, client, bob;
		struct ss_packet_session out, in;
		struct ss_identity *id;
		struct ss_packet p;
		struct site s;
		uint8_t wire[512];
		ssize_t n;

		site_open(&s, methods[i]);
		id = say(&s, s.alice);
		assert_int_equal(ss_packet_codec_init(&server, s.m, SS_SERVER, s.server[0]), 0);
		ss_packet_codec_set_users(&server, s.users);
		ss_packet_session_init_for(&server, &out, 1234, ss_users_at(s.users, 0));
		assert_int_equal(ss_packet_codec_init(&client, s.m, SS_CLIENT, s.alice), 0);
		ss_packet_codec_set_identity(&client, id);
		ss_packet_session_init(&client, &in, 1234);
		assert_int_equal(ss_packet_codec_init(&bob, s.m, SS_CLIENT, s.bob), 0);
		n = ss_packet_seal(&server, &out, &o, (const uint8_t *)"world", 5, wire, sizeof(wire));
		assert_int_equal(n, 58 + 5);
		assert_int_equal(ss_packet_identify(&bob, wire, (size_t)n, &p), 0);
		assert_int_not_equal(p.session_id, 1234);
		assert_int_equal(ss_packet_identify(&client, wire, (size_t)n, &p), 0);
		assert_int_equal(p.session_id, 1234);
		assert_int_equal(ss_packet_open(&client, &in, TS, wire, (size_t)n, &p), 0);
		assert_int_equal(p.client_session_id, 77);
		assert_memory_equal(p.payload, "world", 5);
		ss_packet_session_wipe(&out);
		ss_packet_session_wipe(&in);
		ss_packet_codec_wipe(&server);
		ss_packet_codec_wipe(&client);
		ss_packet_codec_wipe(&bob);
		ss_identity_free(id);
		ss_users_free(s.users);
	}
}

/* ---- depth ---- */

/* Each hop finds the key of the next in its own header: here as a table of one. */
static void every_hop_reads_its_own_header(void **state)
{
	const struct ss_method *m = ss_method_find(methods[1]);
	uint8_t keys[SS_IDENTITY_MAX][SS_KEY_MAX], user[SS_KEY_MAX], salt[SS_SALT_MAX], ids[16];
	uint8_t tcp[SS_IDENTITY_MAX * 16], udp[SS_IDENTITY_MAX * 16];

	(void)state;
	random_bytes(keys, sizeof(keys));
	random_bytes(user, sizeof(user));
	random_bytes(salt, sizeof(salt));
	random_bytes(ids, sizeof(ids));
	for (int n = 1; n <= SS_IDENTITY_MAX; n++) {
		struct ss_identity *id = ss_identity_new(m, (const uint8_t (*)[SS_KEY_MAX])keys, n, user);

		assert_int_equal(ss_identity_len(id), n * 16);
		assert_int_equal(ss_identity_udp_overhead(m, n), 50 + 16 * n);
		ss_identity_put_tcp(id, salt, tcp);
		ss_identity_put_udp(id, ids, udp);
		for (int hop = 0; hop < n; hop++) {
			struct ss_users *next = ss_users_new(m, keys[hop]);

			assert_int_equal(ss_users_add(next, "next", hop + 1 < n ? keys[hop + 1] : user), 0);
			assert_non_null(ss_users_find_tcp(next, salt, tcp + 16 * hop));
			assert_non_null(ss_users_find_udp(next, ids, udp + 16 * hop));
			assert_null(ss_users_find_udp(next, salt, udp + 16 * hop));
			ss_users_free(next);
		}
		ss_identity_free(id);
	}
	assert_int_equal(ss_identity_len(NULL), 0);
	assert_int_equal(ss_identity_udp_overhead(m, 0), m->udp_overhead);
}

static void only_aes_methods_have_identities(void **state)
{
	int n = 0;

	(void)state;
	for (int i = 0; ss_method_at(i); i++)
		n += ss_identity_supported(ss_method_at(i));
	assert_int_equal(n, 2);
	assert_true(ss_identity_supported(ss_method_find(methods[0])));
	assert_true(ss_identity_supported(ss_method_find(methods[1])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_known_answer),
		cmocka_unit_test(udp_known_answer),
		cmocka_unit_test(tcp_users_are_told_apart),
		cmocka_unit_test(tcp_nobody_else_is_let_in),
		cmocka_unit_test(udp_users_are_told_apart_and_nobody_else_is_let_in),
		cmocka_unit_test(udp_replies_are_the_users_own),
		cmocka_unit_test(every_hop_reads_its_own_header),
		cmocka_unit_test(only_aes_methods_have_identities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
