/*
 * AES on single blocks. With AES-NI the schedules are our own expansion and a
 * block costs about 10 ns; elsewhere they are libcrypto's AES_KEY in the same
 * place. Only 128 and 256 bit keys: SIP022 has no others.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* the EVP way allocates and costs ten times as much for one block */
#include "crypto/aes_block.h"

#include <assert.h>
#include <openssl/aes.h>
#include <sodium.h>
#include <stdbool.h>

static_assert(sizeof(AES_KEY) <= sizeof(((struct aes_block *)0)->enc), "an AES_KEY fits its place");

static AES_KEY *soft_key(const uint8_t *place)
{
	return (AES_KEY *)(uintptr_t)place;
}

static void soft_init(struct aes_block *a, const uint8_t *key, size_t key_len)
{
	AES_set_encrypt_key(key, (int)key_len * 8, soft_key(a->enc));
	AES_set_decrypt_key(key, (int)key_len * 8, soft_key(a->dec));
}

#if defined(__x86_64__)

#include <immintrin.h>

#define AESNI __attribute__((target("aes,sse2")))

static bool have_aesni(void)
{
	return __builtin_cpu_supports("aes");
}

/* FIPS 197 section 5.2: k XOR its words shifted up, XOR the word that comes from the key before. */
AESNI static __m128i expand(__m128i k, __m128i word)
{
	k = _mm_xor_si128(k, _mm_slli_si128(k, 4));
	k = _mm_xor_si128(k, _mm_slli_si128(k, 8));
	return _mm_xor_si128(k, word);
}

/* Round constants must be immediates, so a macro: word 3 rotated and substituted (odd), or only substituted (even). */
#define ASSIST_ODD(k, rcon) _mm_shuffle_epi32(_mm_aeskeygenassist_si128(k, rcon), 0xff)
#define ASSIST_EVEN(k) _mm_shuffle_epi32(_mm_aeskeygenassist_si128(k, 0), 0xaa)

AESNI static void expand_128(__m128i k[11], const uint8_t *key)
{
	k[0] = _mm_loadu_si128((const __m128i *)(const void *)key);
	k[1] = expand(k[0], ASSIST_ODD(k[0], 0x01));
	k[2] = expand(k[1], ASSIST_ODD(k[1], 0x02));
	k[3] = expand(k[2], ASSIST_ODD(k[2], 0x04));
	k[4] = expand(k[3], ASSIST_ODD(k[3], 0x08));
	k[5] = expand(k[4], ASSIST_ODD(k[4], 0x10));
	k[6] = expand(k[5], ASSIST_ODD(k[5], 0x20));
	k[7] = expand(k[6], ASSIST_ODD(k[6], 0x40));
	k[8] = expand(k[7], ASSIST_ODD(k[7], 0x80));
	k[9] = expand(k[8], ASSIST_ODD(k[8], 0x1b));
	k[10] = expand(k[9], ASSIST_ODD(k[9], 0x36));
}

#define PAIR(i, rcon) \
	do { \
		k[i] = expand(k[(i) - 2], ASSIST_ODD(k[(i) - 1], rcon)); \
		k[(i) + 1] = expand(k[(i) - 1], ASSIST_EVEN(k[i])); \
	} while (0)

AESNI static void expand_256(__m128i k[15], const uint8_t *key)
{
	k[0] = _mm_loadu_si128((const __m128i *)(const void *)key);
	k[1] = _mm_loadu_si128((const __m128i *)(const void *)(key + 16));
	PAIR(2, 0x01);
	PAIR(4, 0x02);
	PAIR(6, 0x04);
	PAIR(8, 0x08);
	PAIR(10, 0x10);
	PAIR(12, 0x20);
	k[14] = expand(k[12], ASSIST_ODD(k[13], 0x40));
}

/* The equivalent inverse cipher's keys: reversed, the inner ones through InvMixColumns. */
AESNI static void ni_init(struct aes_block *a, const uint8_t *key, size_t key_len)
{
	__m128i *enc = (__m128i *)(void *)a->enc, *dec = (__m128i *)(void *)a->dec;
	int r = a->rounds;

	if (key_len == 16)
		expand_128(enc, key);
	else
		expand_256(enc, key);
	dec[0] = enc[r];
	for (int i = 1; i < r; i++)
		dec[i] = _mm_aesimc_si128(enc[r - i]);
	dec[r] = enc[0];
}

AESNI static void ni_encrypt(const struct aes_block *a, const uint8_t *in, uint8_t *out)
{
	const __m128i *k = (const __m128i *)(const void *)a->enc;
	__m128i s = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)in), k[0]);

	for (int i = 1; i < a->rounds; i++)
		s = _mm_aesenc_si128(s, k[i]);
	_mm_storeu_si128((__m128i *)(void *)out, _mm_aesenclast_si128(s, k[a->rounds]));
}

AESNI static void ni_decrypt(const struct aes_block *a, const uint8_t *in, uint8_t *out)
{
	const __m128i *k = (const __m128i *)(const void *)a->dec;
	__m128i s = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)in), k[0]);

	for (int i = 1; i < a->rounds; i++)
		s = _mm_aesdec_si128(s, k[i]);
	_mm_storeu_si128((__m128i *)(void *)out, _mm_aesdeclast_si128(s, k[a->rounds]));
}

#else

static bool have_aesni(void)
{
	return false;
}

static void ni_init(struct aes_block *a, const uint8_t *key, size_t key_len)
{
	soft_init(a, key, key_len);
}

static void ni_encrypt(const struct aes_block *a, const uint8_t *in, uint8_t *out)
{
	AES_encrypt(in, out, soft_key(a->enc));
}

static void ni_decrypt(const struct aes_block *a, const uint8_t *in, uint8_t *out)
{
	AES_decrypt(in, out, soft_key(a->dec));
}

#endif

void aes_block_init(struct aes_block *a, const uint8_t *key, size_t key_len)
{
	aes_block_init_as(a, key, key_len, !have_aesni());
}

void aes_block_init_as(struct aes_block *a, const uint8_t *key, size_t key_len, bool soft)
{
	assert(key_len == 16 || key_len == 32);
	a->rounds = key_len == 16 ? 10 : 14;
	a->soft = soft;
	if (soft)
		soft_init(a, key, key_len);
	else
		ni_init(a, key, key_len);
}

void aes_block_encrypt(const struct aes_block *a, const uint8_t in[16], uint8_t out[16])
{
	if (a->soft)
		AES_encrypt(in, out, soft_key(a->enc));
	else
		ni_encrypt(a, in, out);
}

void aes_block_decrypt(const struct aes_block *a, const uint8_t in[16], uint8_t out[16])
{
	if (a->soft)
		AES_decrypt(in, out, soft_key(a->dec));
	else
		ni_decrypt(a, in, out);
}

void aes_block_wipe(struct aes_block *a)
{
	sodium_memzero(a, sizeof(*a));
}
