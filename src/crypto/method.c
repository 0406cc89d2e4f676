/* The table of methods. The only place where a method's name is spelt. */
#include "crypto/method.h"

#include <string.h>

/* Overheads: SIP004 salt + 7 of address + tag; SIP022 AES 16 of header, AES
 * and ChaCha20 19 of server-to-client header + 7 + tag, ChaCha20 24 of nonce
 * and 16 of ids before it (docs/wire-formats.md). */
static const struct ss_method methods[] = {
	{ "2022-blake3-aes-128-gcm", true, 16, AEAD_AES_128_GCM, AEAD_AES_128_GCM, 16 + 19 + 7 + 16 },
	{ "2022-blake3-aes-256-gcm", true, 32, AEAD_AES_256_GCM, AEAD_AES_256_GCM, 16 + 19 + 7 + 16 },
	{ "2022-blake3-chacha20-poly1305", true, 32, AEAD_CHACHA20_POLY1305, AEAD_XCHACHA20_POLY1305, 24 + 16 + 19 + 7 + 16 },
	{ "aes-128-gcm", false, 16, AEAD_AES_128_GCM, AEAD_AES_128_GCM, 16 + 7 + 16 },
	{ "aes-192-gcm", false, 24, AEAD_AES_192_GCM, AEAD_AES_192_GCM, 24 + 7 + 16 },
	{ "aes-256-gcm", false, 32, AEAD_AES_256_GCM, AEAD_AES_256_GCM, 32 + 7 + 16 },
	{ "chacha20-ietf-poly1305", false, 32, AEAD_CHACHA20_POLY1305, AEAD_CHACHA20_POLY1305, 32 + 7 + 16 },
	{ "xchacha20-ietf-poly1305", false, 32, AEAD_XCHACHA20_POLY1305, AEAD_XCHACHA20_POLY1305, 32 + 7 + 16 },
};

#define N_METHODS ((int)(sizeof(methods) / sizeof(methods[0])))

const struct ss_method *ss_method_at(int i)
{
	return i >= 0 && i < N_METHODS ? &methods[i] : NULL;
}

const struct ss_method *ss_method_find(const char *name)
{
	for (int i = 0; i < N_METHODS; i++)
		if (!strcmp(methods[i].name, name))
			return &methods[i];
	return NULL;
}
