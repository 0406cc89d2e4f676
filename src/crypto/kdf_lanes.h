/* The SIP004 subkeys of many salts at once: what one datagram costs most is its
 * key (HKDF-SHA1, ten dependent compressions), and datagrams come in batches. */
#ifndef GATUN_CRYPTO_KDF_LANES_H
#define GATUN_CRYPTO_KDF_LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/method.h"

#define KDF_LANES 16

/* Whether this CPU derives KDF_LANES subkeys in less time than four one by one
 * (AVX2 or AVX-512), and gets them right (checked once against kdf_ss_subkey). */
bool kdf_lanes_ready(void);
/* out[i] = kdf_ss_subkey(key, salts[i]) for all KDF_LANES of them. key_len is
 * 16, 24 or 32. Only where kdf_lanes_ready(). */
void kdf_ss_subkey_lanes(const uint8_t *key, const uint8_t (*salts)[SS_SALT_MAX], uint32_t key_len, uint8_t (*out)[SS_KEY_MAX]);

#endif
