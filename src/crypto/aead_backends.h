/* What the back-end files offer to aead.c, and to nobody else. */
#ifndef GATUN_CRYPTO_AEAD_BACKENDS_H
#define GATUN_CRYPTO_AEAD_BACKENDS_H

#include "crypto/aead.h"

/* An expanded context of any back-end fits. */
#define AEAD_CTX_MAX 1024

/* NULL where the back-end was not built, the CPU lacks it, or it has no such
 * cipher. They may be asked again and again. */
const struct aead_ops *aead_ipsec_mb(enum aead_kind kind);
const struct aead_ops *aead_openssl(enum aead_kind kind);
const struct aead_ops *aead_sodium(enum aead_kind kind);
/* ipsec-mb's ChaCha20 beats libcrypto's only with AVX-512 (with AVX2: 1.75
 * against 2.07 GB/s at 16 KiB). */
bool aead_ipsec_mb_prefers(enum aead_kind kind);

/* XChaCha20 is ChaCha20 under a subkey of key and the first 16 nonce bytes
 * (draft-irtf-cfrg-xchacha): writes both, so that a ChaCha20 serves it. */
void aead_xchacha_subkey(const uint8_t key[32], const uint8_t nonce[24], uint8_t subkey[32], uint8_t nonce12[12]);

#endif
