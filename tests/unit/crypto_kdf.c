/* Keys come out of passwords and salts as the peers make them, and a password
 * of the wrong size is refused with the size it should have. */
#include "vectors.h"

#include <errno.h>

#include "crypto/blake3.h"
#include "crypto/kdf.h"

static void check(const char *what, const uint8_t *got, size_t len)
{
	uint8_t want[64];

	assert_int_equal(vector("shadowsocks.txt", what, want, sizeof(want)), len);
	assert_memory_equal(got, want, len);
}

static void sip004_keys(void **state)
{
	uint8_t key[32], salt[32], out[32];

	(void)state;
	kdf_bytes_to_key("password", 8, key, 32);
	check("evp32(\"password\")", key, 32);
	count_up(salt, 0, 32);
	kdf_ss_subkey(key, salt, 32, out);
	check("subkey chacha20-ietf salt=00..1f", out, 32);
	kdf_bytes_to_key("password", 8, key, 16);
	check("evp16(\"password\")", key, 16);
	kdf_ss_subkey(key, salt, 16, out);
	check("subkey aes-128-gcm salt=000102..0f", out, 16);
	ss_subkey(ss_method_find("aes-128-gcm"), key, salt, out);
	check("subkey aes-128-gcm salt=000102..0f", out, 16);
}

static void sip022_keys(void **state)
{
	uint8_t psk[16], salt[16], sid[8], out[16];

	(void)state;
	count_up(psk, 0, 16);
	count_up(salt, 0xa0, 16);
	count_up(sid, 1, 8);
	kdf_session_subkey(psk, 16, salt, 16, out);
	check("session_subkey psk=00..0f salt=a0..af", out, 16);
	ss_subkey(ss_method_find("2022-blake3-aes-128-gcm"), psk, salt, out);
	check("session_subkey psk=00..0f salt=a0..af", out, 16);
	kdf_session_subkey(psk, 16, sid, 8, out);
	check("udp session_subkey sid=0102030405060708", out, 16);
}

static void blake3_official_vectors(void **state)
{
	static const size_t lens[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 63, 64, 65, 127, 128, 129, 1023, 1024 };
	uint8_t in[1024], want[64], got[64];
	struct blake3_context c;
	char what[32];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i % 251);
	blake3_context_init(&c, "BLAKE3 2019-12-27 16:29:52 test vectors context");
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		snprintf(what, sizeof(what), "hash %zu", lens[i]);
		assert_int_equal(vector("blake3.txt", what, want, 64), 64);
		blake3_hash_short(in, lens[i], got, 64);
		assert_memory_equal(got, want, 64);
		snprintf(what, sizeof(what), "derive %zu", lens[i]);
		assert_int_equal(vector("blake3.txt", what, want, 64), 64);
		blake3_derive_short(&c, in, lens[i], got, 64);
		assert_memory_equal(got, want, 64);
	}
	count_up(in, 0x10, 16);
	blake3_hash_short(in, 16, got, 16);
	check("blake3(uPSK=10..1f)[:16]", got, 16);
}

static void passwords(void **state)
{
	const struct ss_method *m = ss_method_find("2022-blake3-aes-128-gcm");
	uint8_t key[32], want[16];
	char err[256];

	(void)state;
	count_up(want, 0, 16);
	assert_int_equal(ss_key_from_password(m, "AAECAwQFBgcICQoLDA0ODw==", key, err, sizeof(err)), 0);
	assert_memory_equal(key, want, 16);
	assert_int_equal(ss_key_from_password(m, "AAECAwQFBgcICQoLDA0O", key, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "16 bytes"));
	assert_non_null(strstr(err, "base64 of 15"));
	assert_int_equal(ss_key_from_password(m, "AAECAwQFBgcICQoLDA0ODw", key, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "not base64"));
	assert_int_equal(ss_key_from_password(m, "not base64!", key, err, sizeof(err)), -EINVAL);
	assert_null(strstr(err, "not base64!"));
	assert_int_equal(ss_key_from_password(m, "AAECAwQFBgcICQoLDA0ODw==:AAECAwQFBgcICQoLDA0ODw==", key, err, sizeof(err)),
			 -EINVAL);
	assert_non_null(strstr(err, "one key here"));
	assert_int_equal(ss_key_from_password(m, "", key, err, sizeof(err)), -EINVAL);
	assert_int_equal(ss_key_from_password(ss_method_find("aes-256-gcm"), "password", key, err, sizeof(err)), 0);
	check("evp32(\"password\")", key, 32);
	assert_int_equal(ss_key_from_password(ss_method_find("aes-256-gcm"), "", key, err, sizeof(err)), -EINVAL);
}

/* What genkey makes is what its method takes, and no two are the same. */
static void generated_passwords_are_accepted(void **state)
{
	char one[SS_PASSWORD_SIZE], two[SS_PASSWORD_SIZE], err[256];
	uint8_t key[32];

	(void)state;
	for (int i = 0; ss_method_at(i); i++) {
		size_t len = ss_password_generate(ss_method_at(i), one);

		assert_int_equal(len, strlen(one));
		ss_password_generate(ss_method_at(i), two);
		assert_string_not_equal(one, two);
		assert_int_equal(ss_key_from_password(ss_method_at(i), one, key, err, sizeof(err)), 0);
	}
}

static void methods(void **state)
{
	(void)state;
	assert_null(ss_method_find("aes-256-cfb"));
	assert_null(ss_method_at(8));
	assert_null(ss_method_at(-1));
	assert_int_equal(ss_method_find("aes-256-gcm")->udp_overhead, 55);
	assert_int_equal(ss_method_find("2022-blake3-aes-256-gcm")->udp_overhead, 58);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sip004_keys),
		cmocka_unit_test(sip022_keys),
		cmocka_unit_test(blake3_official_vectors),
		cmocka_unit_test(passwords),
		cmocka_unit_test(generated_passwords_are_accepted),
		cmocka_unit_test(methods),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
