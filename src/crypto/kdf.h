/*
 * Keys: from a password or a base64 PSK to the master key, and from master key
 * and salt to a session's subkey. SIP004 uses EVP_BytesToKey and HKDF-SHA1,
 * SIP022 base64 and BLAKE3 (docs/wire-formats.md).
 */
#ifndef GATUN_CRYPTO_KDF_H
#define GATUN_CRYPTO_KDF_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/method.h"

/* EVP_BytesToKey with MD5, no salt, one round. key_len <= 32. */
void kdf_bytes_to_key(const void *password, size_t len, uint8_t *key, size_t key_len);
/* HKDF-SHA1 with info "ss-subkey"; key, salt and out are key_len bytes. */
void kdf_ss_subkey(const uint8_t *key, const uint8_t *salt, size_t key_len, uint8_t *out);
/* BLAKE3 derive_key("shadowsocks 2022 session subkey", key || salt). salt_len is
 * key_len for TCP and 8 (a session id) for UDP. */
void kdf_session_subkey(const uint8_t *key, size_t key_len, const uint8_t *salt, size_t salt_len, uint8_t *out);

/* The TCP subkey of a method: one of the two above. */
void ss_subkey(const struct ss_method *m, const uint8_t *key, const uint8_t *salt, uint8_t *out);

/* What a user wrote as password becomes the master key (SIP004) or PSK (SIP022:
 * base64 of exactly key_len bytes). 0, or -EINVAL with a sentence in err that
 * names the size wanted and the size given, never the secret. */
int ss_key_from_password(const struct ss_method *m, const char *password, uint8_t key[SS_KEY_MAX], char *err, size_t err_size);
/* The same for a client that says who it is (SIP023): "KEY0:KEY1:...:KEY", each
 * as above. Returns how many, 1..max, or -EINVAL. Whatever else wants one key
 * refuses a colon. */
int ss_keys_from_password(const struct ss_method *m, const char *password, uint8_t (*keys)[SS_KEY_MAX], int max, char *err,
			  size_t err_size);
/* A fresh password for `gatun genkey`: base64 of key_len random bytes for
 * SIP022, of 32 for SIP004. Writes a string; returns its length. */
#define SS_PASSWORD_SIZE 48
size_t ss_password_generate(const struct ss_method *m, char out[SS_PASSWORD_SIZE]);

#endif
