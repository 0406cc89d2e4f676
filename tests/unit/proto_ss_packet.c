/* UDP datagrams of every method are byte for byte what the peers make, come
 * back as they went, and whatever is cut or changed on the way is refused. */
#include "vectors.h"

#include <errno.h>

#include "crypto/kdf.h"
#include "crypto/random.h"
#include "proto/ss_packet.h"

#define TS 1700000000u

static struct target target_of(const char *text)
{
	struct target t;

	assert_int_equal(target_parse(text, &t), 0);
	return t;
}

static void seal_vector(const char *what, const char *method, enum ss_role role, const uint8_t *key, uint64_t sid,
			const char *payload, struct ss_packet_out out)
{
	uint8_t want[256], got[256];
	size_t want_len = vector("shadowsocks.txt", what, want, sizeof(want));
	struct target t = target_of("1.2.3.4:443");
	struct ss_packet_session s;
	struct ss_packet_codec c;

	assert_int_equal(ss_packet_codec_init(&c, ss_method_find(method), role, key), 0);
	ss_packet_session_init(&c, &s, sid);
	out.remote = &t;
	out.now = TS;
	assert_int_equal(ss_packet_seal(&c, &s, &out, (const uint8_t *)payload, 5, got, sizeof(got)), want_len);
	assert_memory_equal(got, want, want_len);
	ss_packet_session_wipe(&s);
	ss_packet_codec_wipe(&c);
}

static void known_answers(void **state)
{
	uint8_t key[32], up[40];

	(void)state;
	count_up(up, 0, 40);
	kdf_bytes_to_key("password", 8, key, 32);
	seal_vector("udp aes-128-gcm same salt 1.2.3.4:443 \"hello\"", "aes-128-gcm", SS_CLIENT, key, 0, "hello",
		    (struct ss_packet_out){ .random = up });
	seal_vector("udp chacha20-ietf-poly1305 1.2.3.4:443 \"hello\"", "chacha20-ietf-poly1305", SS_CLIENT, key, 0, "hello",
		    (struct ss_packet_out){ .random = up });
	seal_vector("udp c->s pid=1 1.2.3.4:443 \"hello\"", "2022-blake3-aes-128-gcm", SS_CLIENT, up, 0x0102030405060708,
		    "hello", (struct ss_packet_out){ 0 });
	seal_vector("udp s->c ssid=1112..18 pid=1 key=psk", "2022-blake3-aes-128-gcm", SS_SERVER, up, 0x1112131415161718,
		    "world", (struct ss_packet_out){ .client_session_id = 0x0102030405060708 });
	count_up(key, 0x40, 24);
	seal_vector("udp chacha20 c->s psk=00..1f nonce=40..57", "2022-blake3-chacha20-poly1305", SS_CLIENT, up,
		    0x0102030405060708, "hello", (struct ss_packet_out){ .random = key });
}

/* ---- both ends of one method ---- */

struct ends {
	const struct ss_method *m;
	struct ss_packet_codec client, server;
	struct ss_packet_session up, down; /* the senders' */
	struct ss_packet_session up_seen, down_seen; /* the receivers' */
};

static void ends_open(struct ends *e, const struct ss_method *m)
{
	uint8_t key[32];

	e->m = m;
	random_bytes(key, sizeof(key));
	assert_int_equal(ss_packet_codec_init(&e->client, m, SS_CLIENT, key), 0);
	assert_int_equal(ss_packet_codec_init(&e->server, m, SS_SERVER, key), 0);
	ss_packet_session_init(&e->client, &e->up, 77);
	ss_packet_session_init(&e->server, &e->up_seen, 77);
	ss_packet_session_init(&e->server, &e->down, 0xfeedfacecafebeef);
	ss_packet_session_init(&e->client, &e->down_seen, 0xfeedfacecafebeef);
}

static void ends_close(struct ends *e)
{
	ss_packet_session_wipe(&e->up);
	ss_packet_session_wipe(&e->up_seen);
	ss_packet_session_wipe(&e->down);
	ss_packet_session_wipe(&e->down_seen);
	ss_packet_codec_wipe(&e->client);
	ss_packet_codec_wipe(&e->server);
}

static int receive(struct ends *e, bool up, uint64_t now, uint8_t *data, size_t len, struct ss_packet *p)
{
	struct ss_packet_codec *c = up ? &e->server : &e->client;
	int rc = ss_packet_identify(c, data, len, p);

	return rc ? rc : ss_packet_open(c, up ? &e->up_seen : &e->down_seen, now, data, len, p);
}

static ssize_t send_one(struct ends *e, bool up, const struct target *t, uint16_t padding, const uint8_t *payload, size_t len,
			uint8_t *out, size_t size)
{
	struct ss_packet_out o = { .remote = t, .now = TS, .padding = padding, .client_session_id = up ? 0 : 77 };

	return ss_packet_seal(up ? &e->client : &e->server, up ? &e->up : &e->down, &o, payload, len, out, size);
}

/* Identified and taken back, a datagram is byte for byte what it was. */
static void check_taking_back(struct ends *e, bool up, const uint8_t *wire, size_t n)
{
	static uint8_t copy[66000];
	struct ss_packet_codec *c = up ? &e->server : &e->client;
	struct ss_packet p;

	memcpy(copy, wire, n);
	assert_int_equal(ss_packet_identify(c, copy, n, &p), 0);
	ss_packet_unidentify(c, copy, n);
	assert_memory_equal(copy, wire, n);
}

static void check_round_trip(struct ends *e, bool up, const char *remote, size_t len, uint16_t padding, uint64_t id)
{
	static uint8_t payload[65536], wire[66000];
	struct target t = target_of(remote);
	char a[TARGET_STRLEN], b[TARGET_STRLEN];
	struct ss_packet p;
	ssize_t n;

	random_bytes(payload, len < 64 ? len : 64);
	n = send_one(e, up, &t, padding, payload, len, wire, sizeof(wire));
	assert_true(n > 0 && (size_t)n <= len + SS_PACKET_OVERHEAD_MAX + padding);
	check_taking_back(e, up, wire, (size_t)n);
	assert_int_equal(receive(e, up, TS, wire, (size_t)n, &p), 0);
	assert_int_equal(p.len, len);
	assert_memory_equal(p.payload, payload, len);
	assert_string_equal(target_format(&t, a), target_format(&p.remote, b));
	if (e->m->sip022) {
		assert_int_equal(p.session_id, up ? 77 : 0xfeedfacecafebeef);
		assert_int_equal(p.packet_id, id);
		assert_int_equal(p.timestamp, TS);
		assert_int_equal(p.client_session_id, up ? 0 : 77);
	}
}

static void round_trips(void **state)
{
	static const size_t lens[] = { 0, 1, 15, 16, 17, 64, 1200, 1472, 9000, 65000 };
	struct ends e;

	(void)state;
	for (int i = 0; ss_method_at(i); i++) {
		uint64_t up_id = 1, down_id = 1;

		ends_open(&e, ss_method_at(i));
		for (size_t k = 0; k < sizeof(lens) / sizeof(lens[0]); k++) {
			check_round_trip(&e, true, "1.2.3.4:443", lens[k], 0, up_id++);
			check_round_trip(&e, true, "[2001:db8::7]:53", lens[k], 900, up_id++);
			check_round_trip(&e, true, "a.name.example:53", lens[k], 1, up_id++);
			check_round_trip(&e, false, "8.8.8.8:53", lens[k], 0, down_id++);
			check_round_trip(&e, false, "[2001:db8::7]:53", lens[k], 3, down_id++);
		}
		ends_close(&e);
	}
}

/* The size that the TUN's MTU is reckoned with is the true one. */
static void overhead_is_what_the_method_says(void **state)
{
	struct target t = target_of("1.2.3.4:443");
	struct ends e;
	uint8_t wire[256];

	(void)state;
	for (int i = 0; ss_method_at(i); i++) {
		ssize_t up, down;

		ends_open(&e, ss_method_at(i));
		up = send_one(&e, true, &t, 0, wire, 0, wire, sizeof(wire));
		down = send_one(&e, false, &t, 0, wire, 0, wire, sizeof(wire));
		assert_int_equal(up > down ? up : down, e.m->udp_overhead);
		ends_close(&e);
	}
}

static void payload_in_place_is_the_same(void **state)
{
	struct target t = target_of("example.com:80");
	uint8_t a[512], b[512], salt[32] = { 1 };

	(void)state;
	for (int i = 0; ss_method_at(i); i++) {
		struct ss_packet_out o = { .remote = &t, .now = TS, .random = salt, .padding = 5 };
		struct ends e;
		size_t at;

		ends_open(&e, ss_method_at(i));
		at = ss_packet_payload_offset(&e.client, &o);
		memcpy(b + at, "some payload", 12);
		e.up.next_packet_id = 9;
		ss_packet_seal(&e.client, &e.up, &o, (const uint8_t *)"some payload", 12, a, sizeof(a));
		e.up.next_packet_id = 9;
		assert_int_equal(ss_packet_seal(&e.client, &e.up, &o, b + at, 12, b, sizeof(b)), at + 12 + 16);
		assert_memory_equal(a, b, at + 12 + 16);
		ends_close(&e);
	}
}

static void every_cut_and_flip_is_refused(void **state)
{
	struct target t = target_of("1.2.3.4:443");
	uint8_t wire[256], bad[256];
	struct ss_packet p;
	struct ends e;

	(void)state;
	for (int i = 0; ss_method_at(i); i++)
		for (int up = 0; up < 2; up++) {
			ends_open(&e, ss_method_at(i));
			ssize_t n = send_one(&e, up, &t, 0, (const uint8_t *)"hello", 5, wire, sizeof(wire));

			for (ssize_t len = 0; len < n; len++) {
				memcpy(bad, wire, sizeof(wire));
				assert_true(receive(&e, up, TS, bad, (size_t)len, &p) < 0);
			}
			for (ssize_t bit = 0; bit < n * 8; bit++) {
				memcpy(bad, wire, sizeof(wire));
				bad[bit / 8] ^= (uint8_t)(1 << (bit % 8));
				assert_int_equal(receive(&e, up, TS, bad, (size_t)n, &p), -EBADMSG);
			}
			assert_int_equal(receive(&e, up, TS, wire, (size_t)n, &p), 0);
			ends_close(&e);
		}
}

/* A datagram that one side sent is not one for the same side: SIP022's type says so. */
static void reflection_is_refused(void **state)
{
	struct target t = target_of("1.2.3.4:443");
	uint8_t wire[256];
	struct ss_packet p;
	struct ends e;

	(void)state;
	for (int i = 0; ss_method_at(i) && ss_method_at(i)->sip022; i++) {
		ends_open(&e, ss_method_at(i));
		ssize_t n = send_one(&e, true, &t, 100, (const uint8_t *)"hello", 5, wire, sizeof(wire));
		struct ss_packet_session mirror;

		ss_packet_session_init(&e.client, &mirror, 77);
		assert_int_equal(ss_packet_identify(&e.client, wire, (size_t)n, &p), 0);
		assert_int_equal(ss_packet_open(&e.client, &mirror, TS, wire, (size_t)n, &p), -EPROTO);
		ss_packet_session_wipe(&mirror);
		ends_close(&e);
	}
}

static void clocks(void **state)
{
	static const struct {
		uint64_t now;
		int rc;
	} cases[] = { { TS + 30, 0 }, { TS - 30, 0 }, { TS + 31, -ETIME }, { TS - 31, -ETIME }, { 0, -ETIME }, { UINT64_MAX, -ETIME } };
	struct target t = target_of("1.2.3.4:443");
	struct ss_packet p;
	uint8_t wire[256];
	struct ends e;

	(void)state;
	for (int i = 0; ss_method_at(i); i++) {
		ends_open(&e, ss_method_at(i));
		for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
			ssize_t n = send_one(&e, true, &t, 0, (const uint8_t *)"x", 1, wire, sizeof(wire));

			assert_int_equal(receive(&e, true, cases[k].now, wire, (size_t)n, &p), e.m->sip022 ? cases[k].rc : 0);
			if (e.m->sip022)
				assert_int_equal(p.timestamp, TS);
		}
		ends_close(&e);
	}
}

/* Sealed by somebody with the key, but senseless inside: padding past the end,
 * no address, an unknown address type. */
static void senseless_bodies_are_refused(void **state)
{
	static const struct {
		size_t at; /* in the box, after the ids if any */
		uint8_t value;
	} changes[] = { { 0, 2 }, { 9, 0xff }, { 11, 9 }, { 11, 0 } };

	(void)state;
	for (int i = 0; ss_method_at(i) && ss_method_at(i)->sip022; i++)
		for (size_t k = 0; k < sizeof(changes) / sizeof(changes[0]); k++) {
			struct target t = target_of("1.2.3.4:443");
			uint8_t wire[256], nonce[24] = { 0 };
			struct ss_packet p;
			struct ends e;

			ends_open(&e, ss_method_at(i));
			ssize_t n = send_one(&e, true, &t, 0, (const uint8_t *)"hello", 5, wire, sizeof(wire));
			bool aes = e.m->udp != AEAD_XCHACHA20_POLY1305;
			size_t front = aes ? 16 : 24;
			struct aead_key *key = aes ? &e.up.aead : &e.client.psk;

			if (aes)
				aes_block_decrypt(&e.client.header, wire, nonce);
			else
				memcpy(nonce, wire, 24);
			assert_int_equal(aead_open(key, aes ? nonce + 4 : nonce, wire + front, (size_t)n - front, wire + front), 0);
			wire[front + (aes ? 0 : 16) + changes[k].at] = changes[k].value;
			aead_seal(key, aes ? nonce + 4 : nonce, wire + front, (size_t)n - front - 16, wire + front);
			assert_int_equal(receive(&e, true, TS, wire, (size_t)n, &p), -EPROTO);
			ends_close(&e);
		}
}

static void limits(void **state)
{
	struct target t = target_of("1.2.3.4:443");
	uint8_t wire[64];
	struct ends e;

	(void)state;
	ends_open(&e, ss_method_find("2022-blake3-aes-256-gcm"));
	assert_int_equal(send_one(&e, true, &t, 0, wire, 14, wire, 63), -EMSGSIZE);
	assert_int_equal(e.up.next_packet_id, 1);
	assert_int_equal(send_one(&e, true, &t, 0, wire, 13, wire, 63), 63);
	assert_int_equal(e.up.next_packet_id, 2);
	e.up.next_packet_id = UINT64_MAX;
	assert_int_equal(send_one(&e, true, &t, 0, wire, 1, wire, sizeof(wire)), -EOVERFLOW);
	ends_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(overhead_is_what_the_method_says),
		cmocka_unit_test(payload_in_place_is_the_same),
		cmocka_unit_test(every_cut_and_flip_is_refused),
		cmocka_unit_test(reflection_is_refused),
		cmocka_unit_test(clocks),
		cmocka_unit_test(senseless_bodies_are_refused),
		cmocka_unit_test(limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
