/* SIP004 subkeys in lanes are those derived one by one, for every key length
 * and whatever stands in the lanes beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/kdf.h"
#include "crypto/kdf_lanes.h"
#include "crypto/random.h"

static void test_lanes_agree_with_one_by_one(void **state)
{
	static const uint32_t lens[] = { 16, 24, 32 };
	uint8_t key[SS_KEY_MAX], salts[KDF_LANES][SS_SALT_MAX], out[KDF_LANES][SS_KEY_MAX], one[SS_KEY_MAX];

	(void)state;
	if (!kdf_lanes_ready())
		skip(); /* neither AVX2 nor AVX-512 here */
	for (int round = 0; round < 300; round++) {
		uint32_t len = lens[round % 3];

		random_bytes(key, sizeof(key));
		random_bytes(salts, sizeof(salts));
		if (round == 0)
			memset(salts, 0, sizeof(salts));
		kdf_ss_subkey_lanes(key, (const uint8_t (*)[SS_SALT_MAX])salts, len, out);
		for (int i = 0; i < KDF_LANES; i++) {
			kdf_ss_subkey(key, salts[i], len, one);
			assert_memory_equal(out[i], one, len);
		}
	}
}

/* tests/vectors/shadowsocks.txt: aes-128-gcm, "password", salt 00..0f. */
static void test_known_answer(void **state)
{
	static const uint8_t expected[16] = { 0xed, 0x2a, 0x61, 0x8d, 0x94, 0x90, 0xd1, 0x70, 0x1d, 0xe8, 0x85, 0xd8, 0x2a, 0xa8, 0x06, 0x16 };
	uint8_t key[SS_KEY_MAX], salts[KDF_LANES][SS_SALT_MAX] = { 0 }, out[KDF_LANES][SS_KEY_MAX];

	(void)state;
	if (!kdf_lanes_ready())
		skip();
	kdf_bytes_to_key("password", 8, key, 16);
	for (uint8_t i = 0; i < 16; i++)
		salts[5][i] = i;
	kdf_ss_subkey_lanes(key, (const uint8_t (*)[SS_SALT_MAX])salts, 16, out);
	assert_memory_equal(out[5], expected, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lanes_agree_with_one_by_one),
		cmocka_unit_test(test_known_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
