/* BLAKE3 for short inputs (at most one chunk, 1,024 bytes), which is all that
 * SIP022 and SIP023 need: a key schedule of a few dozen bytes. */
#ifndef GATUN_CRYPTO_BLAKE3_H
#define GATUN_CRYPTO_BLAKE3_H

#include <stddef.h>
#include <stdint.h>

#define BLAKE3_SHORT_MAX 1024

/* A context string, hashed once. */
struct blake3_context {
	uint32_t key[8];
};

/* len <= 1024, out_len <= 64. */
void blake3_hash_short(const void *in, size_t len, uint8_t *out, size_t out_len);
void blake3_context_init(struct blake3_context *c, const char *context);
void blake3_derive_short(const struct blake3_context *c, const void *in, size_t len, uint8_t *out, size_t out_len);

#endif
