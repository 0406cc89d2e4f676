/*
 * Key derivation. HKDF-SHA1 is written out over libcrypto's block function: the
 * EVP way costs ten times as much (5.7 us), and SIP004 pays it twice per
 * connection and once per datagram. All inputs are shorter than one SHA-1
 * block, which is what keeps it this small: ten compressions per subkey.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* MD5 and SHA-1 block functions: no provider, no allocation */
#include "crypto/kdf.h"

#include <assert.h>
#include <errno.h>
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "crypto/blake3.h"
#include "crypto/random.h"

#define SHA1_BLOCK 64
#define SHA1_LEN 20

void kdf_bytes_to_key(const void *password, size_t len, uint8_t *key, size_t key_len)
{
	uint8_t d[MD5_DIGEST_LENGTH];

	for (size_t done = 0; done < key_len;) {
		size_t n = key_len - done < sizeof(d) ? key_len - done : sizeof(d);
		MD5_CTX c;

		MD5_Init(&c);
		if (done)
			MD5_Update(&c, d, sizeof(d));
		MD5_Update(&c, password, len);
		MD5_Final(d, &c);
		memcpy(key + done, d, n);
		done += n;
	}
	sodium_memzero(d, sizeof(d));
}

/* ---- HMAC-SHA1 of messages and keys under one block ---- */

struct hmac {
	SHA_CTX inner, outer; /* after the padded key */
};

static void hmac_key(struct hmac *h, const uint8_t *key, size_t len)
{
	uint8_t pad[SHA1_BLOCK];

	assert(len <= SHA1_BLOCK);
	memset(pad, 0x36, sizeof(pad));
	for (size_t i = 0; i < len; i++)
		pad[i] ^= key[i];
	SHA1_Init(&h->inner);
	SHA1_Transform(&h->inner, pad);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	SHA1_Init(&h->outer);
	SHA1_Transform(&h->outer, pad);
	sodium_memzero(pad, sizeof(pad));
}

static void store32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* The last block after one block of key: message, 0x80, length in bits. */
static void finish(const SHA_CTX *keyed, const uint8_t *message, size_t len, uint8_t out[SHA1_LEN])
{
	uint8_t block[SHA1_BLOCK] = { 0 };
	SHA_CTX c = *keyed;

	assert(len <= SHA1_BLOCK - 9);
	memcpy(block, message, len);
	block[len] = 0x80;
	store32(block + SHA1_BLOCK - 4, (uint32_t)(SHA1_BLOCK + len) * 8);
	SHA1_Transform(&c, block);
	store32(out, c.h0);
	store32(out + 4, c.h1);
	store32(out + 8, c.h2);
	store32(out + 12, c.h3);
	store32(out + 16, c.h4);
	sodium_memzero(block, sizeof(block));
}

static void hmac_short(const struct hmac *h, const uint8_t *message, size_t len, uint8_t out[SHA1_LEN])
{
	uint8_t inner[SHA1_LEN];

	finish(&h->inner, message, len, inner);
	finish(&h->outer, inner, sizeof(inner), out);
}

void kdf_ss_subkey(const uint8_t *key, const uint8_t *salt, size_t key_len, uint8_t *out)
{
	static const char info[] = "ss-subkey";
	uint8_t prk[SHA1_LEN], t[2 * SHA1_LEN], m[SHA1_LEN + sizeof(info)];
	struct hmac h;

	assert(key_len <= sizeof(t));
	hmac_key(&h, salt, key_len);
	hmac_short(&h, key, key_len, prk);
	hmac_key(&h, prk, sizeof(prk));
	memcpy(m + SHA1_LEN, info, sizeof(info) - 1);
	m[SHA1_LEN + sizeof(info) - 1] = 1;
	hmac_short(&h, m + SHA1_LEN, sizeof(info), t);
	memcpy(m, t, SHA1_LEN);
	m[SHA1_LEN + sizeof(info) - 1] = 2;
	hmac_short(&h, m, sizeof(m), t + SHA1_LEN);
	memcpy(out, t, key_len);
	sodium_memzero(&h, sizeof(h));
	sodium_memzero(t, sizeof(t));
	sodium_memzero(prk, sizeof(prk));
}

/* ---- SIP022 ---- */

void kdf_session_subkey(const uint8_t *key, size_t key_len, const uint8_t *salt, size_t salt_len, uint8_t *out)
{
	static struct blake3_context context;
	static bool ready;
	uint8_t material[2 * SS_KEY_MAX];

	assert(key_len <= SS_KEY_MAX && salt_len <= SS_SALT_MAX);
	if (!ready) {
		blake3_context_init(&context, "shadowsocks 2022 session subkey");
		ready = true;
	}
	memcpy(material, key, key_len);
	memcpy(material + key_len, salt, salt_len);
	blake3_derive_short(&context, material, key_len + salt_len, out, key_len);
	sodium_memzero(material, sizeof(material));
}

void ss_subkey(const struct ss_method *m, const uint8_t *key, const uint8_t *salt, uint8_t *out)
{
	if (m->sip022)
		kdf_session_subkey(key, m->key_len, salt, m->key_len, out);
	else
		kdf_ss_subkey(key, salt, m->key_len, out);
}

/* ---- passwords ---- */

static int psk_from_base64(const struct ss_method *m, const char *password, uint8_t key[SS_KEY_MAX], char *err, size_t err_size)
{
	uint8_t raw[256];
	size_t len = 0;
	int rc = -EINVAL;

	if (strchr(password, ':'))
		snprintf(err, err_size, "%s wants one key here, and these are several, joined by ':'", m->name);
	else if (sodium_base642bin(raw, sizeof(raw), password, strlen(password), NULL, &len, NULL,
				   sodium_base64_VARIANT_ORIGINAL) < 0)
		snprintf(err, err_size, "%s wants base64 of %u bytes as its password, and this is not base64 (gatun genkey %s makes one)",
			 m->name, m->key_len, m->name);
	else if (len != m->key_len)
		snprintf(err, err_size, "%s wants base64 of %u bytes as its password, and this is base64 of %zu (gatun genkey %s makes one)",
			 m->name, m->key_len, len, m->name);
	else
		rc = 0;
	if (!rc)
		memcpy(key, raw, m->key_len);
	sodium_memzero(raw, sizeof(raw));
	return rc;
}

int ss_key_from_password(const struct ss_method *m, const char *password, uint8_t key[SS_KEY_MAX], char *err, size_t err_size)
{
	if (!*password) {
		snprintf(err, err_size, "%s wants a password, and this one is empty", m->name);
		return -EINVAL;
	}
	if (m->sip022)
		return psk_from_base64(m, password, key, err, err_size);
	kdf_bytes_to_key(password, strlen(password), key, m->key_len);
	return 0;
}

static bool takes_identities(const struct ss_method *m)
{
	return m->sip022 && m->udp != AEAD_XCHACHA20_POLY1305;
}

/* One key of several, `len` bytes at `text`. */
static int key_of_several(const struct ss_method *m, const char *text, size_t len, uint8_t key[SS_KEY_MAX], char *err, size_t err_size)
{
	char one[256];
	int rc = -EINVAL;

	if (len == 0 || len >= sizeof(one)) {
		snprintf(err, err_size, "%s: between the ':' of the password stands a key that is %s", m->name, len ? "too long" : "empty");
		return -EINVAL;
	}
	memcpy(one, text, len);
	one[len] = 0;
	rc = psk_from_base64(m, one, key, err, err_size);
	sodium_memzero(one, sizeof(one));
	return rc;
}

int ss_keys_from_password(const struct ss_method *m, const char *password, uint8_t (*keys)[SS_KEY_MAX], int max, char *err,
			  size_t err_size)
{
	int n = 0;

	if (!m->sip022 || !strchr(password, ':'))
		return ss_key_from_password(m, password, keys[0], err, err_size) == 0 ? 1 : -EINVAL;
	if (!takes_identities(m)) {
		snprintf(err, err_size, "%s has no identity headers: keys joined by ':' need a 2022 method with AES", m->name);
		return -EINVAL;
	}
	for (const char *at = password;; at++) {
		size_t len = strcspn(at, ":");

		if (n == max) {
			snprintf(err, err_size, "%s: more than %d keys joined by ':'", m->name, max);
			return -EINVAL;
		}
		if (key_of_several(m, at, len, keys[n++], err, err_size) != 0)
			return -EINVAL;
		at += len;
		if (!*at)
			return n;
	}
}

size_t ss_password_generate(const struct ss_method *m, char out[SS_PASSWORD_SIZE])
{
	uint8_t raw[32];
	size_t len = m->sip022 ? m->key_len : sizeof(raw);

	static_assert(sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_ORIGINAL) <= SS_PASSWORD_SIZE, "32 bytes fit");
	random_bytes(raw, len);
	sodium_bin2base64(out, SS_PASSWORD_SIZE, raw, len, sodium_base64_VARIANT_ORIGINAL);
	sodium_memzero(raw, sizeof(raw));
	return strlen(out);
}
