/*
 * HKDF-SHA1 in 16 lanes (RFC 5869, RFC 2104, RFC 3174), with the compiler's
 * vectors: word j of all 16 messages is one vector, and a compression does 16
 * blocks. One source, compiled for AVX-512 (one register per vector) and AVX2
 * (two); the CPU decides at run time, other architectures derive one by one.
 *
 * Per key 469 ns one by one with the SHA extensions, 60-90 ns in lanes. All
 * HMAC inputs are one block behind the padded key, as in kdf.c; the schedule is
 * the same for every lane, so there is no branch and no table on secret data.
 */
#include "crypto/kdf_lanes.h"

#include <sodium.h>
#include <string.h>

#include "crypto/kdf.h"

#if defined(__x86_64__)

#define INLINE static inline __attribute__((always_inline))
#define DIGEST 5
#define BLOCK 16

typedef uint32_t lanes __attribute__((vector_size(4 * KDF_LANES)));

INLINE uint32_t load_be(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

#define ROL(x, n) (((x) << (n)) | ((x) >> (32 - (n))))
#define F_CHOOSE(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define F_PARITY(b, c, d) ((b) ^ (c) ^ (d))
#define F_MAJORITY(b, c, d) (((b) & (c)) | ((d) & ((b) | (c))))

/* Word t of the schedule, computed in place from t = 16 on. */
#define SCHEDULE(t) \
	((t) < 16 ? w[(t) & 15] \
		  : (w[(t) & 15] = ROL(w[((t) + 13) & 15] ^ w[((t) + 8) & 15] ^ w[((t) + 2) & 15] ^ w[(t) & 15], 1)))
#define ROUND(a, b, c, d, e, f, k, t) \
	do { \
		e += ROL(a, 5) + f(b, c, d) + (k) + SCHEDULE(t); \
		b = ROL(b, 30); \
	} while (0)
#define FIVE(f, k, t) \
	ROUND(a, b, c, d, e, f, k, t); \
	ROUND(e, a, b, c, d, f, k, (t) + 1); \
	ROUND(d, e, a, b, c, f, k, (t) + 2); \
	ROUND(c, d, e, a, b, f, k, (t) + 3); \
	ROUND(b, c, d, e, a, f, k, (t) + 4)
#define TWENTY(f, k, t) \
	FIVE(f, k, t); \
	FIVE(f, k, (t) + 5); \
	FIVE(f, k, (t) + 10); \
	FIVE(f, k, (t) + 15)

/* h: DIGEST vectors, updated. w: BLOCK vectors, destroyed. */
INLINE void compress(lanes *h, lanes *w)
{
	lanes a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	TWENTY(F_CHOOSE, 0x5a827999u, 0);
	TWENTY(F_PARITY, 0x6ed9eba1u, 20);
	TWENTY(F_MAJORITY, 0x8f1bbcdcu, 40);
	TWENTY(F_PARITY, 0xca62c1d6u, 60);
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

INLINE void start(lanes *h)
{
	static const uint32_t iv[DIGEST] = { 0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u };

	for (int i = 0; i < DIGEST; i++)
		h[i] = (lanes){ 0 } + iv[i];
}

/* State after a key of `words` words, padded with `pad`. */
INLINE void keyed(lanes *h, const lanes *key, int words, uint32_t pad)
{
	lanes w[BLOCK];

	for (int i = 0; i < BLOCK; i++)
		w[i] = i < words ? key[i] ^ pad : (lanes){ 0 } + pad;
	start(h);
	compress(h, w);
}

/* HMAC of a message that stands in w with its 0x80 and zeros; out: DIGEST vectors. */
INLINE void hmac(const lanes *inner, const lanes *outer, lanes *w, uint32_t len, lanes *out)
{
	lanes h[DIGEST];

	memcpy(h, inner, sizeof(h));
	w[BLOCK - 1] = (lanes){ 0 } + (64 + len) * 8;
	compress(h, w);
	memset(w, 0, BLOCK * sizeof(*w));
	memcpy(w, h, sizeof(h));
	w[DIGEST] = (lanes){ 0 } + 0x80000000u;
	w[BLOCK - 1] = (lanes){ 0 } + (64 + 4 * DIGEST) * 8u;
	memcpy(out, outer, DIGEST * sizeof(*out));
	compress(out, w);
}

/* T(n) of the expansion: what came before it, "ss-subkey", n. */
INLINE void expand(const lanes *inner, const lanes *outer, const lanes *before, int words, uint32_t n, lanes *out)
{
	lanes w[BLOCK];

	memset(w, 0, sizeof(w));
	for (int i = 0; i < words; i++)
		w[i] = before[i];
	w[words] = (lanes){ 0 } + 0x73732d73u;		       /* ss-s */
	w[words + 1] = (lanes){ 0 } + 0x75626b65u;	       /* ubke */
	w[words + 2] = (lanes){ 0 } + (0x79008000u | n << 16); /* y, n, the end mark, 0 */
	hmac(inner, outer, w, (uint32_t)words * 4 + 10, out);
}

INLINE void derive(const uint8_t *key, const uint8_t (*salts)[SS_SALT_MAX], uint32_t key_len, uint8_t (*out)[SS_KEY_MAX])
{
	int words = (int)key_len / 4;
	lanes w[BLOCK], salt[SS_SALT_MAX / 4], inner[DIGEST], outer[DIGEST], prk[DIGEST], t[2 * DIGEST];

	for (int j = 0; j < words; j++)
		for (int i = 0; i < KDF_LANES; i++)
			salt[j][i] = load_be(salts[i] + 4 * j);
	keyed(inner, salt, words, 0x36363636u);
	keyed(outer, salt, words, 0x5c5c5c5cu);
	memset(w, 0, sizeof(w));
	for (int j = 0; j < words; j++)
		w[j] = (lanes){ 0 } + load_be(key + 4 * j);
	w[words] = (lanes){ 0 } + 0x80000000u;
	hmac(inner, outer, w, key_len, prk);

	keyed(inner, prk, DIGEST, 0x36363636u);
	keyed(outer, prk, DIGEST, 0x5c5c5c5cu);
	expand(inner, outer, NULL, 0, 1, t);
	if (words > DIGEST)
		expand(inner, outer, t, DIGEST, 2, t + DIGEST);
	for (int i = 0; i < KDF_LANES; i++)
		for (int j = 0; j < words; j++) {
			uint32_t v = __builtin_bswap32(t[j][i]);
			memcpy(out[i] + 4 * j, &v, 4);
		}
	sodium_memzero(t, sizeof(t));
	sodium_memzero(prk, sizeof(prk));
	sodium_memzero(inner, sizeof(inner));
	sodium_memzero(outer, sizeof(outer));
}

__attribute__((target("avx512f"))) static void derive_avx512(const uint8_t *key, const uint8_t (*salts)[SS_SALT_MAX], uint32_t key_len,
							      uint8_t (*out)[SS_KEY_MAX])
{
	derive(key, salts, key_len, out);
}

__attribute__((target("avx2"))) static void derive_avx2(const uint8_t *key, const uint8_t (*salts)[SS_SALT_MAX], uint32_t key_len,
							 uint8_t (*out)[SS_KEY_MAX])
{
	derive(key, salts, key_len, out);
}

typedef void derive_fn(const uint8_t *, const uint8_t (*)[SS_SALT_MAX], uint32_t, uint8_t (*)[SS_KEY_MAX]);

static derive_fn *choose(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f"))
		return derive_avx512;
	if (__builtin_cpu_supports("avx2"))
		return derive_avx2;
	return NULL;
}

static derive_fn *chosen;

static bool agrees(uint32_t key_len)
{
	uint8_t salts[KDF_LANES][SS_SALT_MAX], keys[KDF_LANES][SS_KEY_MAX], one[SS_KEY_MAX];

	for (int i = 0; i < KDF_LANES; i++)
		for (int j = 0; j < SS_SALT_MAX; j++)
			salts[i][j] = (uint8_t)(i * 37 + j * 11);
	chosen(salts[3], (const uint8_t (*)[SS_SALT_MAX])salts, key_len, keys);
	for (int i = 0; i < KDF_LANES; i++) {
		kdf_ss_subkey(salts[3], salts[i], key_len, one);
		if (memcmp(one, keys[i], key_len) != 0)
			return false;
	}
	return true;
}

bool kdf_lanes_ready(void)
{
	static bool tried;

	if (!tried) {
		tried = true;
		chosen = choose();
		if (chosen && !(agrees(16) && agrees(24) && agrees(32)))
			chosen = NULL;
	}
	return chosen != NULL;
}

void kdf_ss_subkey_lanes(const uint8_t *key, const uint8_t (*salts)[SS_SALT_MAX], uint32_t key_len, uint8_t (*out)[SS_KEY_MAX])
{
	chosen(key, salts, key_len, out);
}

#else

bool kdf_lanes_ready(void)
{
	return false;
}

void kdf_ss_subkey_lanes(const uint8_t *key, const uint8_t (*salts)[SS_SALT_MAX], uint32_t key_len, uint8_t (*out)[SS_KEY_MAX])
{
	for (int i = 0; i < KDF_LANES; i++)
		kdf_ss_subkey(key, salts[i], key_len, out[i]);
}

#endif
