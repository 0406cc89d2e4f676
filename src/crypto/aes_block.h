/* AES-ECB on single blocks, with both schedules kept: SIP022's separate UDP
 * headers. AES-NI where the CPU has it, libcrypto elsewhere. */
#ifndef GATUN_CRYPTO_AES_BLOCK_H
#define GATUN_CRYPTO_AES_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aes_block {
	_Alignas(16) uint8_t enc[256], dec[256];
	uint8_t rounds; /* 10 or 14 */
	bool soft;	/* libcrypto's schedules */
};

/* key_len is 16 or 32. */
void aes_block_init(struct aes_block *a, const uint8_t *key, size_t key_len);
/* As above with the implementation given, for tests (soft works everywhere). */
void aes_block_init_as(struct aes_block *a, const uint8_t *key, size_t key_len, bool soft);
/* in and out are 16 bytes and may be the same. */
void aes_block_encrypt(const struct aes_block *a, const uint8_t in[16], uint8_t out[16]);
void aes_block_decrypt(const struct aes_block *a, const uint8_t in[16], uint8_t out[16]);
void aes_block_wipe(struct aes_block *a);

#endif
