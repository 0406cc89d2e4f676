/* Every back-end of every cipher gives the published answers, agrees with the
 * others at any length, refuses any flipped bit, and the cache of schedules
 * loses no key. */
#include "vectors.h"

#include <errno.h>

#include "crypto/aead.h"
#include "crypto/ciphers.h"
#include "crypto/random.h"

#define FOR_EACH_BACKEND(ops, kind) \
	for (int kind = 0; kind < AEAD_KINDS; kind++) \
		for (const struct aead_ops *ops = aead_backend_at(kind, 0); ops; ops = next(ops))

static const struct aead_ops *next(const struct aead_ops *ops)
{
	for (int i = 0;; i++)
		if (aead_backend_at(ops->kind, i) == ops)
			return aead_backend_at(ops->kind, i + 1);
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 3, 9, 15. */
static void gcm_specification(void **state)
{
	static const struct {
		enum aead_kind kind;
		const char *cipher, *tag;
	} cases[] = {
		{ AEAD_AES_128_GCM, "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
		  "4d5c2af327cd64a62cf35abd2ba6fab4" },
		{ AEAD_AES_192_GCM, "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710acade256",
		  "9924a7c8587336bfb118024db8674a14" },
		{ AEAD_AES_256_GCM, "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
		  "b094dac5d93471bdec1a502270e3cc6c" },
	};
	const char *key_hex = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
	uint8_t key[32], nonce[12], plain[64], want[80], got[80];

	(void)state;
	unhex(key_hex, key, 32);
	unhex("cafebabefacedbaddecaf888", nonce, 12);
	unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
	      plain, 64);
	for (size_t i = 0; i < 3; i++) {
		unhex(cases[i].cipher, want, 64);
		unhex(cases[i].tag, want + 64, 16);
		for (const struct aead_ops *ops = aead_backend_at(cases[i].kind, 0); ops; ops = next(ops)) {
			struct aead_key k;

			aead_key_init(&k, ops, key);
			aead_seal(&k, nonce, plain, 64, got);
			assert_memory_equal(got, want, 80);
			aead_key_wipe(&k);
		}
	}
}

static void self_tests_pass(void **state)
{
	int n = 0;

	(void)state;
	FOR_EACH_BACKEND(ops, kind) {
		assert_true(aead_self_test(ops));
		n++;
	}
	assert_true(n >= AEAD_KINDS);
	for (int kind = 0; kind < AEAD_KINDS; kind++) {
		assert_non_null(aead_ops_for(kind));
		assert_ptr_equal(aead_ops_for(kind), aead_backend_at(kind, 0));
	}
}

/* A back-end whose answers are wrong is not chosen: here one that forgets the tag. */
static void broken_seal(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	(void)ctx, (void)nonce;
	memmove(out, in, len);
	memset(out + len, 0, AEAD_TAG_LEN);
}

static int gullible_open(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	(void)ctx, (void)nonce;
	memmove(out, in, len - AEAD_TAG_LEN);
	return 0;
}

static void self_test_catches_a_broken_back_end(void **state)
{
	struct aead_ops broken = *aead_ops_for(AEAD_AES_256_GCM);

	(void)state;
	broken.seal = broken_seal;
	assert_false(aead_self_test(&broken));
	broken = *aead_ops_for(AEAD_AES_256_GCM);
	broken.open = gullible_open;
	assert_false(aead_self_test(&broken));
}

#define MAX_LEN 3000

/* Sealed by one back-end, apart and in place, opened by each other one. */
static void back_ends_agree(void **state)
{
	static const size_t lens[] = { 0, 1, 2, 15, 16, 17, 31, 63, 64, 65, 127, 255, 256, 511, 1023, 1400, 2047, MAX_LEN };
	uint8_t key[32], nonce[24], plain[MAX_LEN], box[MAX_LEN + 16], same[MAX_LEN + 16];

	(void)state;
	random_bytes(key, sizeof(key));
	random_bytes(nonce, sizeof(nonce));
	for (size_t i = 0; i < MAX_LEN; i++)
		plain[i] = (uint8_t)random_u64();
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		FOR_EACH_BACKEND(sealer, kind) {
			aead_seal_once(sealer, key, nonce, plain, lens[i], box);
			memcpy(same, plain, lens[i]);
			aead_seal_once(sealer, key, nonce, same, lens[i], same);
			assert_memory_equal(box, same, lens[i] + 16);
			for (const struct aead_ops *o = aead_backend_at(kind, 0); o; o = next(o)) {
				memcpy(same, box, lens[i] + 16);
				assert_int_equal(aead_open_once(o, key, nonce, same, lens[i] + 16, same), 0);
				assert_memory_equal(same, plain, lens[i]);
			}
		}
}

static void every_flipped_bit_is_refused(void **state)
{
	uint8_t key[32] = { 7 }, nonce[24] = { 9 }, plain[40] = "attack at dawn", box[56], bad[56];

	(void)state;
	FOR_EACH_BACKEND(ops, kind) {
		aead_seal_once(ops, key, nonce, plain, sizeof(plain), box);
		for (size_t bit = 0; bit < sizeof(box) * 8; bit++) {
			memcpy(bad, box, sizeof(box));
			bad[bit / 8] ^= (uint8_t)(1 << (bit % 8));
			assert_int_equal(aead_open_once(ops, key, nonce, bad, sizeof(bad), bad), -EBADMSG);
		}
		nonce[0] ^= 1;
		assert_int_equal(aead_open_once(ops, key, nonce, box, sizeof(box), bad), -EBADMSG);
		nonce[0] ^= 1;
	}
}

/* More busy keys than slots, of all ciphers: each still seals what it sealed alone. */
static void cache_loses_no_key(void **state)
{
	enum { KEYS = 1500 };
	struct aead_key *keys = calloc(KEYS, sizeof(*keys));
	uint8_t (*boxes)[48] = calloc(KEYS, sizeof(*boxes));
	uint8_t nonce[24] = { 1 }, key[32], plain[32] = "same", box[48];

	(void)state;
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < KEYS; i++) {
			const struct aead_ops *ops = aead_backend_at((enum aead_kind)(i % AEAD_KINDS), i / AEAD_KINDS % 2);

			if (round == 0) {
				random_bytes(key, sizeof(key));
				aead_key_init(&keys[i], ops, key);
				aead_seal_once(ops, key, nonce, plain, sizeof(plain), boxes[i]);
			}
			aead_seal(&keys[i], nonce, plain, sizeof(plain), box);
			assert_memory_equal(box, boxes[i], sizeof(box));
			if (round == 1)
				aead_cache_trim();
		}
	assert_true(aead_cache_count() <= 512);
	for (int i = 0; i < KEYS; i++) {
		aead_key_wipe(&keys[i]);
		aead_key_wipe(&keys[i]);
	}
	aead_cache_trim();
	aead_cache_trim();
	assert_int_equal(aead_cache_count(), 1);
	free(keys);
	free(boxes);
}

static void ciphers_lists_every_method(void **state)
{
	struct cipher_info info;
	int n = 0;

	(void)state;
	for (; crypto_cipher_at(n, n == 0, &info); n++) {
		assert_string_not_equal(info.backend, "none");
		assert_true((info.small_gbps > 0) == (n == 0));
	}
	assert_int_equal(n, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gcm_specification),
		cmocka_unit_test(self_tests_pass),
		cmocka_unit_test(self_test_catches_a_broken_back_end),
		cmocka_unit_test(back_ends_agree),
		cmocka_unit_test(every_flipped_bit_is_refused),
		cmocka_unit_test(cache_loses_no_key),
		cmocka_unit_test(ciphers_lists_every_method),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
