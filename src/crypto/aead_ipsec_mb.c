/*
 * AEAD by intel-ipsec-mb's direct functions: the fastest by far for AES-GCM on
 * x86-64.
 *
 * The library keeps its functions in a manager of 200 KB whose job queues we
 * never use: it is made once, its function pointers are copied, and it is
 * freed again. gcm_key_data must lie on 64 bytes (the library crashes
 * otherwise); slots and the self-test see to that.
 */
#include "crypto/aead_backends.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#ifdef HAVE_IPSEC_MB

#include <intel-ipsec-mb.h>

static struct {
	bool asked, usable, avx512;
	struct {
		aes_gcm_pre_t pre;
		aes_gcm_enc_dec_t enc, dec;
	} gcm[3]; /* by AEAD_AES_128_GCM .. 256 */
	chacha_poly_init_t chacha_init;
	chacha_poly_enc_dec_update_t chacha_enc, chacha_dec;
	chacha_poly_finalize_t chacha_finalize;
} lib;

static void copy_functions(const IMB_MGR *m)
{
	lib.gcm[AEAD_AES_128_GCM].pre = m->gcm128_pre;
	lib.gcm[AEAD_AES_128_GCM].enc = m->gcm128_enc;
	lib.gcm[AEAD_AES_128_GCM].dec = m->gcm128_dec;
	lib.gcm[AEAD_AES_192_GCM].pre = m->gcm192_pre;
	lib.gcm[AEAD_AES_192_GCM].enc = m->gcm192_enc;
	lib.gcm[AEAD_AES_192_GCM].dec = m->gcm192_dec;
	lib.gcm[AEAD_AES_256_GCM].pre = m->gcm256_pre;
	lib.gcm[AEAD_AES_256_GCM].enc = m->gcm256_enc;
	lib.gcm[AEAD_AES_256_GCM].dec = m->gcm256_dec;
	lib.chacha_init = m->chacha20_poly1305_init;
	lib.chacha_enc = m->chacha20_poly1305_enc_update;
	lib.chacha_dec = m->chacha20_poly1305_dec_update;
	lib.chacha_finalize = m->chacha20_poly1305_finalize;
}

/* Loads the library's functions for this CPU; AES-NI and PCLMULQDQ are the least. */
static bool usable(void)
{
	IMB_ARCH arch = IMB_ARCH_NONE;
	IMB_MGR *m;

	if (lib.asked)
		return lib.usable;
	lib.asked = true;
	m = alloc_mb_mgr(0);
	if (!m)
		return false;
	if ((m->features & IMB_FEATURE_AESNI) && (m->features & IMB_FEATURE_PCLMULQDQ)) {
		init_mb_mgr_auto(m, &arch);
		lib.usable = imb_get_errno(m) == 0 && arch >= IMB_ARCH_SSE;
	}
	if (lib.usable) {
		lib.avx512 = arch == IMB_ARCH_AVX512;
		copy_functions(m);
	}
	free_mb_mgr(m);
	return lib.usable;
}

/* Constant time; 0 or -EBADMSG. Two words instead of sodium_memcmp's byte loop,
 * which took 1 % of a busy server; the asm keeps the compiler from branching early. */
static inline int compare_tags(const uint8_t *a, const uint8_t *b)
{
	uint64_t x[2], y[2], diff;

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	diff = (x[0] ^ y[0]) | (x[1] ^ y[1]);
	__asm__("" : "+r"(diff));
	return diff ? -EBADMSG : 0;
}

/* ---- AES-GCM ---- */

static inline void gcm_seal(enum aead_kind kind, void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	struct gcm_context_data run;
	uint8_t none = 0;

	lib.gcm[kind].enc(ctx, &run, out, in, len, nonce, &none, 0, out + len, AEAD_TAG_LEN);
}

static inline int gcm_open(enum aead_kind kind, void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	struct gcm_context_data run;
	uint8_t none = 0, tag[AEAD_TAG_LEN], given[AEAD_TAG_LEN];

	len -= AEAD_TAG_LEN;
	memcpy(given, in + len, AEAD_TAG_LEN);
	lib.gcm[kind].dec(ctx, &run, out, in, len, nonce, &none, 0, tag, AEAD_TAG_LEN);
	return compare_tags(tag, given);
}

static void gcm_wipe(void *ctx)
{
	sodium_memzero(ctx, sizeof(struct gcm_key_data));
}

#define GCM_KIND(bits) \
	static void gcm##bits##_init(void *ctx, const uint8_t *key) \
	{ \
		lib.gcm[AEAD_AES_##bits##_GCM].pre(key, ctx); \
	} \
	static void gcm##bits##_seal(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out) \
	{ \
		gcm_seal(AEAD_AES_##bits##_GCM, ctx, nonce, in, len, out); \
	} \
	static int gcm##bits##_open(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out) \
	{ \
		return gcm_open(AEAD_AES_##bits##_GCM, ctx, nonce, in, len, out); \
	}
GCM_KIND(128)
GCM_KIND(192)
GCM_KIND(256)

/* ---- ChaCha20-Poly1305: the context is the key ---- */

static void chacha_init(void *ctx, const uint8_t *key)
{
	memcpy(ctx, key, 32);
}

static void chacha_wipe(void *ctx)
{
	sodium_memzero(ctx, 32);
}

static void chacha_seal(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	struct chacha20_poly1305_context_data run;
	uint8_t none = 0;

	lib.chacha_init(ctx, &run, nonce, &none, 0);
	lib.chacha_enc(ctx, &run, out, in, len);
	lib.chacha_finalize(&run, out + len, AEAD_TAG_LEN);
	sodium_memzero(&run, sizeof(run));
}

static int chacha_open(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	struct chacha20_poly1305_context_data run;
	uint8_t none = 0, tag[AEAD_TAG_LEN], given[AEAD_TAG_LEN];

	len -= AEAD_TAG_LEN;
	memcpy(given, in + len, AEAD_TAG_LEN);
	lib.chacha_init(ctx, &run, nonce, &none, 0);
	lib.chacha_dec(ctx, &run, out, in, len);
	lib.chacha_finalize(&run, tag, AEAD_TAG_LEN);
	sodium_memzero(&run, sizeof(run));
	return compare_tags(tag, given);
}

static void xchacha_seal(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	uint8_t subkey[32], nonce12[12];

	aead_xchacha_subkey(ctx, nonce, subkey, nonce12);
	chacha_seal(subkey, nonce12, in, len, out);
	sodium_memzero(subkey, sizeof(subkey));
}

static int xchacha_open(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	uint8_t subkey[32], nonce12[12];
	int rc;

	aead_xchacha_subkey(ctx, nonce, subkey, nonce12);
	rc = chacha_open(subkey, nonce12, in, len, out);
	sodium_memzero(subkey, sizeof(subkey));
	return rc;
}

#define GCM_OPS(bits) \
	{ "ipsec-mb", AEAD_AES_##bits##_GCM, bits / 8, 12, sizeof(struct gcm_key_data), \
	  gcm##bits##_init, gcm##bits##_seal, gcm##bits##_open, gcm_wipe }

static const struct aead_ops ops[AEAD_KINDS] = {
	[AEAD_AES_128_GCM] = GCM_OPS(128),
	[AEAD_AES_192_GCM] = GCM_OPS(192),
	[AEAD_AES_256_GCM] = GCM_OPS(256),
	[AEAD_CHACHA20_POLY1305] = { "ipsec-mb", AEAD_CHACHA20_POLY1305, 32, 12, 32, chacha_init, chacha_seal, chacha_open,
				     chacha_wipe },
	[AEAD_XCHACHA20_POLY1305] = { "ipsec-mb", AEAD_XCHACHA20_POLY1305, 32, 24, 32, chacha_init, xchacha_seal,
				      xchacha_open, chacha_wipe },
};

const struct aead_ops *aead_ipsec_mb(enum aead_kind kind)
{
	return usable() ? &ops[kind] : NULL;
}

bool aead_ipsec_mb_prefers(enum aead_kind kind)
{
	return usable() && (kind <= AEAD_AES_256_GCM || lib.avx512);
}

#else

const struct aead_ops *aead_ipsec_mb(enum aead_kind kind)
{
	(void)kind;
	return NULL;
}

bool aead_ipsec_mb_prefers(enum aead_kind kind)
{
	(void)kind;
	return false;
}

#endif
