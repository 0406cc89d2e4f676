/* TCP streams of every method are byte for byte what the peers make, come back
 * whole, and whatever is changed on the way is refused. */
#include "vectors.h"

#include <errno.h>

#include "crypto/kdf.h"
#include "crypto/random.h"
#include "proto/ss_stream.h"

#define TS 1700000000u

static struct target target_of(const char *text)
{
	struct target t;

	assert_int_equal(target_parse(text, &t), 0);
	return t;
}

/* ---- known answers ---- */

static void sip004_request(void **state)
{
	const struct ss_method *m = ss_method_find("aes-128-gcm");
	struct target t = target_of("example.com:80");
	uint8_t key[16], salt[16], want[256], got[256];
	struct ss_sealer s;

	(void)state;
	kdf_bytes_to_key("password", 8, key, 16);
	count_up(salt, 0, 16);
	ss_sealer_init(&s, m, key, salt);
	memcpy(got + ss_request_offset(m, NULL, &t, 0), "hello", 5);
	size_t n = ss_seal_request(&s, NULL, salt, 0, &t, 0, 5, got);

	assert_int_equal(vector("shadowsocks.txt", "tcp aes-128-gcm \"password\" example.com:80 \"hello\"", want, 256), n);
	assert_int_equal(n, ss_request_offset(m, NULL, &t, 0) + 5 + 16);
	assert_memory_equal(got, want, n);
	ss_sealer_wipe(&s);
}

static void sip022_request_and_chunk(void **state)
{
	const struct ss_method *m = ss_method_find("2022-blake3-aes-128-gcm");
	struct target t = target_of("1.2.3.4:443");
	uint8_t key[16], salt[16], want[256], got[256];
	struct ss_sealer s;
	size_t n;

	(void)state;
	count_up(key, 0, 16);
	count_up(salt, 0xa0, 16);
	ss_sealer_init(&s, m, key, salt);
	memcpy(got + ss_request_offset(m, NULL, &t, 3), "hello", 5);
	n = ss_seal_request(&s, NULL, salt, TS, &t, 3, 5, got);
	assert_int_equal(vector("shadowsocks.txt", "tcp request ts=1700000000 1.2.3.4:443 pad=3x00 \"hello\"", want, 256), n);
	assert_memory_equal(got, want, n);
	n = ss_seal_chunk(&s, (const uint8_t *)"world", 5, got);
	assert_int_equal(vector("shadowsocks.txt", "+ next chunk \"world\"", want, 256), n);
	assert_memory_equal(got, want, n);
	ss_sealer_wipe(&s);
}

static void sip022_response(void **state)
{
	const struct ss_method *m = ss_method_find("2022-blake3-aes-128-gcm");
	uint8_t key[16], salt[16], request_salt[16], want[256], got[256];
	struct ss_sealer s;

	(void)state;
	count_up(key, 0, 16);
	count_up(request_salt, 0xa0, 16);
	count_up(salt, 0xc0, 16);
	ss_sealer_init(&s, m, key, salt);
	memcpy(got + ss_response_offset(m), "world", 5);
	size_t n = ss_seal_response(&s, salt, TS, request_salt, 5, got);

	assert_int_equal(vector("shadowsocks.txt", "tcp response salt=c0..cf \"world\"", want, 256), n);
	assert_memory_equal(got, want, n);
	ss_sealer_wipe(&s);
}

/* ---- a whole stream through both codecs ---- */

struct reader {
	struct ss_opener o;
	struct ss_handshake hs;
	const uint8_t *key;
	uint8_t unit[65536 + 64];
	size_t have;
	uint8_t *out;
	size_t out_len;
};

static void reader_start(struct reader *r, const struct ss_method *m, bool server, const uint8_t *key, uint8_t *out)
{
	memset(r, 0, sizeof(*r));
	ss_opener_init(&r->o, m, server);
	r->key = key;
	r->out = out;
}

/* Feeds bytes in pieces of at most `step`. 0 or the opener's error. */
static int reader_feed(struct reader *r, const uint8_t *in, size_t len, size_t step, uint64_t now)
{
	while (len) {
		size_t take = r->o.need - r->have;
		struct ss_opened opened;
		int rc;

		take = take < step ? take : step;
		take = take < len ? take : len;
		memcpy(r->unit + r->have, in, take);
		in += take;
		len -= take;
		r->have += take;
		if (r->have < r->o.need)
			continue;
		r->have = 0;
		rc = ss_opener_next(&r->o, r->key, &r->hs, now, r->unit, &opened);
		if (rc < 0)
			return rc;
		memcpy(r->out + r->out_len, opened.data, opened.len);
		r->out_len += opened.len;
	}
	return 0;
}

static size_t make_request(const struct ss_method *m, const uint8_t *key, uint8_t *salt, uint16_t padding, size_t first,
			   const size_t *chunks, const uint8_t *payload, uint8_t *wire)
{
	struct target t = target_of("example.com:80");
	struct ss_sealer s;
	size_t n;

	random_bytes(salt, m->key_len);
	ss_sealer_init(&s, m, key, salt);
	memcpy(wire + ss_request_offset(m, NULL, &t, padding), payload, first);
	n = ss_seal_request(&s, NULL, salt, TS, &t, padding, first, wire);
	payload += first;
	for (; *chunks; payload += *chunks++)
		n += ss_seal_chunk(&s, payload, *chunks, wire + n);
	ss_sealer_wipe(&s);
	return n;
}

static size_t make_response(const struct ss_method *m, const uint8_t *key, const uint8_t *request_salt, const size_t *chunks,
			    const uint8_t *payload, uint8_t *wire)
{
	uint8_t salt[32];
	struct ss_sealer s;
	size_t n;

	random_bytes(salt, sizeof(salt));
	ss_sealer_init(&s, m, key, salt);
	memcpy(wire + ss_response_offset(m), payload, *chunks);
	n = ss_seal_response(&s, salt, TS, request_salt, *chunks, wire);
	for (payload += *chunks++; *chunks; payload += *chunks++)
		n += ss_seal_chunk(&s, payload, *chunks, wire + n);
	ss_sealer_wipe(&s);
	return n;
}

static uint8_t payload[300000], wire[400000], bad[400000], out[300000], key[32], salt[32];

static void streams_come_back_whole(void **state)
{
	static const size_t steps[] = { 1, 2, 17, 18, 19, 1000, 400000 };
	static struct reader r;

	(void)state;
	random_bytes(key, sizeof(key));
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 31 >> 3);
	for (int i = 0; ss_method_at(i); i++) {
		const struct ss_method *m = ss_method_at(i);
		size_t chunks[] = { 1, 2, 1000, ss_chunk_max(m), 7, 0 }, sum = 1 + 2 + 1000 + ss_chunk_max(m) + 7;

		for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
			size_t n = make_request(m, key, salt, m->sip022 ? 1 : 0, 100, chunks, payload, wire);

			reader_start(&r, m, true, key, out);
			assert_int_equal(reader_feed(&r, wire, n, steps[k], TS), 0);
			assert_int_equal(r.out_len, 100 + sum);
			assert_memory_equal(out, payload, 100 + sum);
			assert_string_equal(r.hs.target.name, "example.com");
			assert_memory_equal(r.hs.salt, salt, m->key_len);
			assert_true(ss_opener_at_boundary(&r.o));
			ss_opener_wipe(&r.o);

			n = make_response(m, key, salt, chunks, payload, wire);
			reader_start(&r, m, false, key, out);
			memcpy(r.hs.salt, salt, sizeof(salt));
			assert_int_equal(reader_feed(&r, wire, n, steps[k], TS), 0);
			assert_int_equal(r.out_len, sum);
			assert_memory_equal(out, payload, sum);
			assert_true(ss_opener_at_boundary(&r.o));
			ss_opener_wipe(&r.o);
		}
	}
}

/* Wherever a stream is cut, only a chunk's end (or, SIP004, the salt's, where
 * nothing was said yet) passes for an end. */
static void only_a_chunk_end_is_an_end(void **state)
{
	static const size_t chunks[] = { 5, 9, 0 };
	static struct reader r;

	(void)state;
	for (int i = 0; ss_method_at(i); i++) {
		const struct ss_method *m = ss_method_at(i);
		size_t n = make_response(m, key, salt, chunks, payload, wire), ends = 0;

		for (size_t cut = 1; cut <= n; cut++) {
			reader_start(&r, m, false, key, out);
			memcpy(r.hs.salt, salt, sizeof(salt));
			assert_int_equal(reader_feed(&r, wire, cut, 400000, TS), 0);
			if (ss_opener_at_boundary(&r.o) && !r.have) {
				ends++;
				assert_true(r.out_len == 5 || r.out_len == 14 || (!m->sip022 && cut == m->key_len));
			}
			ss_opener_wipe(&r.o);
		}
		assert_int_equal(ends, m->sip022 ? 2 : 3);
	}
}

static void every_flipped_bit_is_refused(void **state)
{
	static const size_t chunks[] = { 5, 9, 0 };
	static struct reader r;

	(void)state;
	for (int i = 0; ss_method_at(i); i++)
		for (int server = 0; server < 2; server++) {
			const struct ss_method *m = ss_method_at(i);
			size_t n = server ? make_request(m, key, salt, 0, 3, chunks, payload, wire)
					  : make_response(m, key, salt, chunks, payload, wire);

			for (size_t bit = 0; bit < n * 8; bit++) {
				memcpy(bad, wire, n);
				bad[bit / 8] ^= (uint8_t)(1 << (bit % 8));
				reader_start(&r, m, server, key, out);
				memcpy(r.hs.salt, salt, sizeof(salt));
				assert_int_equal(reader_feed(&r, bad, n, 400000, TS), -EBADMSG);
				assert_true(r.out_len <= n && !memcmp(out, payload, r.out_len));
				ss_opener_wipe(&r.o);
			}
		}
}

/* What a holder of the key may still not say. */
static void sip022_rules(void **state)
{
	static const size_t chunks[] = { 5, 0 };
	static struct reader r;

	(void)state;
	for (int i = 0; ss_method_at(i) && ss_method_at(i)->sip022; i++) {
		const struct ss_method *m = ss_method_at(i);
		uint8_t other[32] = { 0 };
		size_t n;

		/* 30 s are allowed, 31 are not, and huge times do not wrap. */
		static const struct { uint64_t now; int rc; } clocks[] = {
			{ TS + 30, 0 }, { TS - 30, 0 }, { TS + 31, -ETIME }, { TS - 31, -ETIME }, { 0, -ETIME }, { UINT64_MAX, -ETIME },
		};
		for (size_t k = 0; k < sizeof(clocks) / sizeof(clocks[0]); k++) {
			n = make_request(m, key, salt, 0, 5, chunks, payload, wire);
			reader_start(&r, m, true, key, out);
			assert_int_equal(reader_feed(&r, wire, n, n, clocks[k].now), clocks[k].rc);
			assert_int_equal(r.hs.timestamp, TS);
			ss_opener_wipe(&r.o);
		}
		/* Neither payload nor padding. */
		n = make_request(m, key, salt, 0, 0, chunks, payload, wire);
		reader_start(&r, m, true, key, out);
		assert_int_equal(reader_feed(&r, wire, n, n, TS), -EPROTO);
		ss_opener_wipe(&r.o);
		/* Padding alone is well. */
		n = make_request(m, key, salt, SS_PADDING_MAX, 0, chunks, payload, wire);
		reader_start(&r, m, true, key, out);
		assert_int_equal(reader_feed(&r, wire, n, n, TS), 0);
		assert_int_equal(r.out_len, 5);
		ss_opener_wipe(&r.o);
		/* A response to somebody else's request. */
		n = make_response(m, key, other, chunks, payload, wire);
		reader_start(&r, m, false, key, out);
		memcpy(r.hs.salt, salt, sizeof(salt));
		assert_int_equal(reader_feed(&r, wire, n, n, TS), -EPROTO);
		ss_opener_wipe(&r.o);
		/* Padding that reaches past the end, and an address that does. */
		static const uint8_t bodies[][16] = {
			{ 1, 1, 2, 3, 4, 0, 80, 0, 8, 1, 2, 3, 4, 5, 6, 7 }, /* right by one: 7 of 8 */
			{ 1, 1, 2, 3, 4, 0, 80, 0xff, 0xff },
			{ 3, 14, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 0 },
			{ 1, 1, 2, 3, 4, 0, 80, 0, 7, 1, 2, 3, 4, 5, 6, 7 }, /* and one that fits */
		};
		for (size_t k = 0; k < 4; k++) {
			uint8_t nonce[24] = { 0 }, head[11] = { 0 };
			struct ss_sealer s;

			for (int b = 0; b < 8; b++)
				head[1 + b] = (uint8_t)((uint64_t)TS >> (56 - 8 * b));
			head[10] = 16;
			memcpy(wire, other, m->key_len);
			ss_sealer_init(&s, m, key, wire);
			aead_seal(&s.aead, nonce, head, 11, wire + m->key_len);
			nonce[0] = 1;
			aead_seal(&s.aead, nonce, bodies[k], 16, wire + m->key_len + 27);
			ss_sealer_wipe(&s);
			reader_start(&r, m, true, key, out);
			assert_int_equal(reader_feed(&r, wire, m->key_len + 27 + 32, 400000, TS), k == 3 ? 0 : -EPROTO);
			assert_int_equal(r.out_len, 0);
			ss_opener_wipe(&r.o);
		}
		/* A fixed header of the wrong type, whatever the role. */
		for (int server = 0; server < 2; server++) {
			uint8_t nonce[24] = { 0 }, head[11 + 32] = { 0 };
			size_t head_len = server ? 11 : 11u + m->key_len;
			struct ss_sealer s;

			/* 0 is a request's, 1 a response's */
			for (int k = 0; k < 8; k++)
				head[1 + k] = (uint8_t)((uint64_t)TS >> (56 - 8 * k));
			if (!server)
				memcpy(head + 9, salt, m->key_len);
			head[head_len - 1] = 40;
			for (int right = 0; right < 2; right++) {
				head[0] = (uint8_t)(right ? !server : server);
				memcpy(wire, other, m->key_len);
				ss_sealer_init(&s, m, key, wire);
				aead_seal(&s.aead, nonce, head, head_len, wire + m->key_len);
				ss_sealer_wipe(&s);
				reader_start(&r, m, server, key, out);
				memcpy(r.hs.salt, salt, sizeof(salt));
				assert_int_equal(reader_feed(&r, wire, m->key_len + head_len + 16, 400000, TS), right ? 0 : -EPROTO);
				ss_opener_wipe(&r.o);
			}
		}
		/* The longest name and the largest chunk fit together. */
		assert_int_equal(ss_request_payload_max(m, &(struct target){ .name_len = 255 }, 900), 0xFFFF - 259 - 2 - 900);
	}
}

/* Zero lengths, lengths beyond 0x3FFF, and addresses that are none. */
static void sealed_nonsense_is_refused(void **state)
{
	const struct ss_method *m = ss_method_find("aes-256-gcm");
	static const uint8_t plains[][9] = { { 0, 0 }, { 0x40, 0 }, { 0xff, 0xff }, { 0, 7, 9, 1, 1, 1, 1, 1, 1 }, { 0, 7, 3, 0, 'x' } };
	static struct reader r;

	(void)state;
	for (size_t i = 0; i < sizeof(plains) / sizeof(plains[0]); i++) {
		uint8_t nonce[24] = { 0 };
		struct ss_sealer s;
		size_t n = m->key_len;

		random_bytes(wire, n);
		ss_sealer_init(&s, m, key, wire);
		aead_seal(&s.aead, nonce, plains[i], 2, wire + n);
		nonce[0] = 1;
		aead_seal(&s.aead, nonce, plains[i] + 2, 7, wire + n + 18);
		reader_start(&r, m, true, key, out);
		assert_int_equal(reader_feed(&r, wire, n + 18 + 23, 400000, TS), -EPROTO);
		ss_opener_wipe(&r.o);
		ss_sealer_wipe(&s);
	}
}

/* SIP004: the address may come in as many chunks as it has bytes. */
static void an_address_in_parts(void **state)
{
	const struct ss_method *m = ss_method_find("chacha20-ietf-poly1305");
	static const uint8_t plain[] = "\3\13example.com\0\120hello";
	static struct reader r;

	(void)state;
	for (size_t part = 1; part < sizeof(plain); part++) {
		struct ss_sealer s;
		size_t n = m->key_len;

		random_bytes(wire, n);
		ss_sealer_init(&s, m, key, wire);
		for (size_t at = 0; at < sizeof(plain) - 1; at += part)
			n += ss_seal_chunk(&s, plain + at, sizeof(plain) - 1 - at < part ? sizeof(plain) - 1 - at : part, wire + n);
		reader_start(&r, m, true, key, out);
		assert_int_equal(reader_feed(&r, wire, n, 400000, TS), 0);
		assert_true(r.o.addressed);
		assert_string_equal(r.hs.target.name, "example.com");
		assert_int_equal(target_port(&r.hs.target), 80);
		assert_int_equal(r.out_len, 5);
		assert_memory_equal(out, "hello", 5);
		ss_opener_wipe(&r.o);
		ss_sealer_wipe(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sip004_request),
		cmocka_unit_test(sip022_request_and_chunk),
		cmocka_unit_test(sip022_response),
		cmocka_unit_test(streams_come_back_whole),
		cmocka_unit_test(only_a_chunk_end_is_an_end),
		cmocka_unit_test(every_flipped_bit_is_refused),
		cmocka_unit_test(sip022_rules),
		cmocka_unit_test(sealed_nonsense_is_refused),
		cmocka_unit_test(an_address_in_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
