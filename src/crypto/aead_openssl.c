/*
 * AEAD by libcrypto: the floor, there for every kind on every CPU.
 *
 * A context holds a copy of the key and an EVP context per direction, made
 * when that direction is first used: a flow's key only seals or only opens.
 * Re-keying an EVP context is cheap, making one is not, so init() keeps them.
 */
#include "crypto/aead_backends.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct evp_ctx {
	EVP_CIPHER_CTX *enc, *dec;
	bool enc_keyed, dec_keyed;
	uint8_t key[32];
};

static const char *const evp_names[AEAD_KINDS] = { "AES-128-GCM", "AES-192-GCM", "AES-256-GCM", "ChaCha20-Poly1305",
						   "ChaCha20-Poly1305" };
static EVP_CIPHER *ciphers[AEAD_KINDS];

/* Fetched once: EVP_aes_256_gcm() would be looked up again for each key. */
static const EVP_CIPHER *cipher_of(enum aead_kind kind)
{
	if (!ciphers[kind])
		ciphers[kind] = EVP_CIPHER_fetch(NULL, evp_names[kind], NULL);
	return ciphers[kind];
}

/* libcrypto fails here only when memory is gone; a wrong box must not leave. */
static void must(bool ok)
{
	if (!ok)
		abort();
}

static void evp_init(void *ctx, const uint8_t *key, size_t key_len)
{
	struct evp_ctx *c = ctx;

	memcpy(c->key, key, key_len);
	c->enc_keyed = c->dec_keyed = false;
}

static EVP_CIPHER_CTX *keyed(EVP_CIPHER_CTX **x, bool *done, enum aead_kind kind, const uint8_t *key, int enc)
{
	if (*done)
		return *x;
	if (!*x) {
		*x = EVP_CIPHER_CTX_new();
		must(*x && EVP_CipherInit_ex2(*x, cipher_of(kind), key, NULL, enc, NULL));
	} else {
		must(EVP_CipherInit_ex2(*x, NULL, key, NULL, enc, NULL));
	}
	*done = true;
	return *x;
}

static void box(EVP_CIPHER_CTX *x, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	int n = 0;

	must(EVP_EncryptInit_ex2(x, NULL, NULL, nonce, NULL));
	must(!len || EVP_EncryptUpdate(x, out, &n, in, (int)len));
	must(EVP_EncryptFinal_ex(x, out + len, &n));
	must(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_LEN, out + len));
}

static int unbox(EVP_CIPHER_CTX *x, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	uint8_t tag[AEAD_TAG_LEN];
	int n = 0;

	len -= AEAD_TAG_LEN;
	memcpy(tag, in + len, AEAD_TAG_LEN);
	must(EVP_DecryptInit_ex2(x, NULL, NULL, nonce, NULL));
	must(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_LEN, tag));
	must(!len || EVP_DecryptUpdate(x, out, &n, in, (int)len));
	return EVP_DecryptFinal_ex(x, out + len, &n) > 0 ? 0 : -EBADMSG;
}

static void evp_seal(enum aead_kind kind, struct evp_ctx *c, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	box(keyed(&c->enc, &c->enc_keyed, kind, c->key, 1), nonce, in, len, out);
}

static int evp_open(enum aead_kind kind, struct evp_ctx *c, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	return unbox(keyed(&c->dec, &c->dec_keyed, kind, c->key, 0), nonce, in, len, out);
}

static void evp_wipe(void *ctx)
{
	struct evp_ctx *c = ctx;

	EVP_CIPHER_CTX_free(c->enc);
	EVP_CIPHER_CTX_free(c->dec);
	sodium_memzero(c, sizeof(*c));
}

/* XChaCha20's subkey belongs to one nonce, so each message is keyed anew. */
static void xchacha_seal(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	struct evp_ctx *c = ctx;
	uint8_t subkey[32], nonce12[12];

	aead_xchacha_subkey(c->key, nonce, subkey, nonce12);
	c->enc_keyed = false;
	box(keyed(&c->enc, &c->enc_keyed, AEAD_XCHACHA20_POLY1305, subkey, 1), nonce12, in, len, out);
	sodium_memzero(subkey, sizeof(subkey));
}

static int xchacha_open(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	struct evp_ctx *c = ctx;
	uint8_t subkey[32], nonce12[12];
	int rc;

	aead_xchacha_subkey(c->key, nonce, subkey, nonce12);
	c->dec_keyed = false;
	rc = unbox(keyed(&c->dec, &c->dec_keyed, AEAD_XCHACHA20_POLY1305, subkey, 0), nonce12, in, len, out);
	sodium_memzero(subkey, sizeof(subkey));
	return rc;
}

#define EVP_KIND(name, kind, len) \
	static void name##_init(void *ctx, const uint8_t *key) { evp_init(ctx, key, len); } \
	static void name##_seal(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out) \
	{ \
		evp_seal(kind, ctx, nonce, in, n, out); \
	} \
	static int name##_open(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t n, uint8_t *out) \
	{ \
		return evp_open(kind, ctx, nonce, in, n, out); \
	}
EVP_KIND(gcm128, AEAD_AES_128_GCM, 16)
EVP_KIND(gcm192, AEAD_AES_192_GCM, 24)
EVP_KIND(gcm256, AEAD_AES_256_GCM, 32)
EVP_KIND(chacha, AEAD_CHACHA20_POLY1305, 32)

#define OPS(kind, len, init, seal, open) \
	{ "libcrypto", kind, len, 12, sizeof(struct evp_ctx), init, seal, open, evp_wipe }

static const struct aead_ops ops[AEAD_KINDS] = {
	[AEAD_AES_128_GCM] = OPS(AEAD_AES_128_GCM, 16, gcm128_init, gcm128_seal, gcm128_open),
	[AEAD_AES_192_GCM] = OPS(AEAD_AES_192_GCM, 24, gcm192_init, gcm192_seal, gcm192_open),
	[AEAD_AES_256_GCM] = OPS(AEAD_AES_256_GCM, 32, gcm256_init, gcm256_seal, gcm256_open),
	[AEAD_CHACHA20_POLY1305] = OPS(AEAD_CHACHA20_POLY1305, 32, chacha_init, chacha_seal, chacha_open),
	[AEAD_XCHACHA20_POLY1305] = { "libcrypto", AEAD_XCHACHA20_POLY1305, 32, 24, sizeof(struct evp_ctx), chacha_init,
				      xchacha_seal, xchacha_open, evp_wipe },
};

/* Costs nothing until a context is used: the cipher is fetched then. */
const struct aead_ops *aead_openssl(enum aead_kind kind)
{
	return &ops[kind];
}
