/*
 * BLAKE3, one chunk: the compression function of the specification (section
 * 2.2) in portable C, and the chaining of up to 16 blocks. Longer inputs need
 * the tree, which nobody here has a use for. The official vectors for inputs
 * up to 1,024 bytes hold it.
 */
#include "crypto/blake3.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

enum { CHUNK_START = 1, CHUNK_END = 2, ROOT = 8, DERIVE_KEY_CONTEXT = 32, DERIVE_KEY_MATERIAL = 64 };

static const uint32_t iv[8] = { 0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19 };

/* Message words in the order of each round: the permutation of section 2.2, applied over and over. */
static const uint8_t schedule[7][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8 },
	{ 3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1 },
	{ 10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6 },
	{ 12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4 },
	{ 9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7 },
	{ 11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13 },
};

static inline uint32_t rotr(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static inline void mix(uint32_t v[16], int a, int b, int c, int d, uint32_t x, uint32_t y)
{
	v[a] += v[b] + x;
	v[d] = rotr(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotr(v[b] ^ v[c], 12);
	v[a] += v[b] + y;
	v[d] = rotr(v[d] ^ v[a], 8);
	v[c] += v[d];
	v[b] = rotr(v[b] ^ v[c], 7);
}

static void permute_rounds(uint32_t v[16], const uint32_t m[16])
{
	for (int r = 0; r < 7; r++) {
		const uint8_t *s = schedule[r];

		mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
		mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
		mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
		mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
		mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
		mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
		mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
		mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
	}
}

static uint32_t load32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void compress(const uint32_t cv[8], const uint8_t block[64], uint32_t len, uint32_t flags, uint32_t out[16])
{
	uint32_t m[16], v[16] = { cv[0], cv[1], cv[2], cv[3], cv[4], cv[5], cv[6], cv[7],
				  iv[0], iv[1], iv[2], iv[3], 0,     0,     len,   flags };

	for (int i = 0; i < 16; i++)
		m[i] = load32(block + 4 * i);
	permute_rounds(v, m);
	for (int i = 0; i < 8; i++) {
		out[i] = v[i] ^ v[i + 8];
		out[i + 8] = v[i + 8] ^ cv[i];
	}
}

/* One chunk that is the root: 64 bytes of output as words. */
static void hash_chunk(const uint32_t key[8], uint32_t mode, const uint8_t *in, size_t len, uint32_t out[16])
{
	uint32_t cv[8], flags = mode | CHUNK_START;
	uint8_t block[64];

	assert(len <= BLAKE3_SHORT_MAX);
	memcpy(cv, key, sizeof(cv));
	for (; len > 64; in += 64, len -= 64, flags = mode) {
		compress(cv, in, 64, flags, out);
		memcpy(cv, out, sizeof(cv));
	}
	memset(block, 0, sizeof(block));
	if (len)
		memcpy(block, in, len);
	compress(cv, block, (uint32_t)len, flags | CHUNK_END | ROOT, out);
	sodium_memzero(block, sizeof(block));
}

static void hash_out(const uint32_t key[8], uint32_t mode, const void *in, size_t len, uint8_t *out, size_t out_len)
{
	uint32_t words[16];

	assert(out_len <= 64);
	hash_chunk(key, mode, in, len, words);
	for (size_t i = 0; i < out_len; i++)
		out[i] = (uint8_t)(words[i / 4] >> (8 * (i % 4)));
	sodium_memzero(words, sizeof(words));
}

void blake3_hash_short(const void *in, size_t len, uint8_t *out, size_t out_len)
{
	hash_out(iv, 0, in, len, out, out_len);
}

void blake3_context_init(struct blake3_context *c, const char *context)
{
	uint32_t words[16];

	hash_chunk(iv, DERIVE_KEY_CONTEXT, (const uint8_t *)context, strlen(context), words);
	memcpy(c->key, words, sizeof(c->key));
}

void blake3_derive_short(const struct blake3_context *c, const void *in, size_t len, uint8_t *out, size_t out_len)
{
	hash_out(c->key, DERIVE_KEY_MATERIAL, in, len, out, out_len);
}
