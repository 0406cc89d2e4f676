/* The Shadowsocks methods: sizes and generation, one row each. */
#ifndef GATUN_CRYPTO_METHOD_H
#define GATUN_CRYPTO_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SS_KEY_MAX 32
#define SS_SALT_MAX 32
#define SS_TAG_LEN 16

enum aead_kind { AEAD_AES_128_GCM, AEAD_AES_192_GCM, AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305, AEAD_XCHACHA20_POLY1305, AEAD_KINDS };

struct ss_method {
	const char *name;	/* "aes-256-gcm", "2022-blake3-aes-256-gcm", ... */
	bool sip022;
	uint8_t key_len;	/* = salt length, for every method */
	enum aead_kind tcp;
	enum aead_kind udp;	/* differs for 2022-blake3-chacha20-poly1305: XChaCha20 */
	/* Bytes that a UDP datagram with an IPv4 (add 12 for IPv6) address grows
	 * by, without padding, in the larger direction. */
	uint8_t udp_overhead;
};

/* NULL if there is none. */
const struct ss_method *ss_method_find(const char *name);
/* The i-th, or NULL past the end: for lists and nearest-name hints. */
const struct ss_method *ss_method_at(int i);

#endif
