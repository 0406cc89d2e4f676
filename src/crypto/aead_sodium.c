/* ChaCha20-Poly1305 and XChaCha20-Poly1305 by libsodium. The context is the key. */
#include "crypto/aead_backends.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

static void key_init(void *ctx, const uint8_t *key)
{
	memcpy(ctx, key, 32);
}

static void key_wipe(void *ctx)
{
	sodium_memzero(ctx, 32);
}

static void chacha_seal(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, in, len, NULL, 0, NULL, nonce, ctx);
}

static int chacha_open(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	return crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in, len, NULL, 0, nonce, ctx) ? -EBADMSG : 0;
}

static void xchacha_seal(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, in, len, NULL, 0, NULL, nonce, ctx);
}

static int xchacha_open(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	return crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, in, len, NULL, 0, nonce, ctx) ? -EBADMSG : 0;
}

static const struct aead_ops chacha = { "libsodium", AEAD_CHACHA20_POLY1305, 32, 12, 32, key_init, chacha_seal, chacha_open,
					key_wipe };
static const struct aead_ops xchacha = { "libsodium", AEAD_XCHACHA20_POLY1305, 32, 24, 32, key_init, xchacha_seal,
					 xchacha_open, key_wipe };

const struct aead_ops *aead_sodium(enum aead_kind kind)
{
	if (kind != AEAD_CHACHA20_POLY1305 && kind != AEAD_XCHACHA20_POLY1305)
		return NULL;
	if (sodium_init() < 0) /* picks its implementation for this CPU */
		return NULL;
	return kind == AEAD_CHACHA20_POLY1305 ? &chacha : &xchacha;
}
