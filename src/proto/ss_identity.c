/*
 * SIP023 identity headers as a client writes them, and what the server's table of
 * users (ss_users.c) needs to read them.
 *
 * TCP's key schedule is made for every connection, since its key comes from the
 * salt; UDP's stand ready. It does not know what follows a header.
 */
#include "proto/ss_identity.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/blake3.h"

#define UDP_UP_LESS 8 /* a request lacks the echoed session id that a reply has */

bool ss_identity_supported(const struct ss_method *m)
{
	return m->sip022 && m->udp != AEAD_XCHACHA20_POLY1305;
}

unsigned ss_identity_udp_overhead(const struct ss_method *m, int n)
{
	return n ? m->udp_overhead - UDP_UP_LESS + (unsigned)n * SS_IDENTITY_LEN : m->udp_overhead;
}

void ss_identity_hash_key(const uint8_t *key, size_t key_len, uint8_t out[SS_IDENTITY_LEN])
{
	blake3_hash_short(key, key_len, out, SS_IDENTITY_LEN);
}

void ss_identity_tcp_block(struct aes_block *b, const uint8_t *key, size_t key_len, const uint8_t *salt)
{
	static struct blake3_context context;
	static bool ready;
	uint8_t material[SS_KEY_MAX + SS_SALT_MAX], subkey[SS_KEY_MAX];

	if (!ready) {
		blake3_context_init(&context, "shadowsocks 2022 identity subkey");
		ready = true;
	}
	memcpy(material, key, key_len);
	memcpy(material + key_len, salt, key_len);
	blake3_derive_short(&context, material, 2 * key_len, subkey, key_len);
	aes_block_init(b, subkey, key_len);
	sodium_memzero(material, sizeof(material));
	sodium_memzero(subkey, sizeof(subkey));
}

void ss_identity_mix(uint8_t *out, const uint8_t *a, const uint8_t *b)
{
	for (int i = 0; i < SS_IDENTITY_LEN; i++)
		out[i] = a[i] ^ b[i];
}

/* ---- the client ---- */

struct ss_identity *ss_identity_new(const struct ss_method *m, const uint8_t (*keys)[SS_KEY_MAX], int n, const uint8_t *user_key)
{
	struct ss_identity *id = calloc(1, sizeof(*id));

	assert(n > 0 && n <= SS_IDENTITY_MAX && ss_identity_supported(m));
	if (!id)
		return NULL;
	id->n = n;
	id->key_len = m->key_len;
	for (int i = 0; i < n; i++) {
		memcpy(id->keys[i], keys[i], m->key_len);
		ss_identity_hash_key(i + 1 < n ? keys[i + 1] : user_key, m->key_len, id->hashes[i]);
		aes_block_init(&id->blocks[i], keys[i], m->key_len);
	}
	return id;
}

void ss_identity_free(struct ss_identity *id)
{
	if (!id)
		return;
	for (int i = 0; i < id->n; i++)
		aes_block_wipe(&id->blocks[i]);
	sodium_memzero(id, sizeof(*id));
	free(id);
}

void ss_identity_put_tcp(const struct ss_identity *id, const uint8_t *salt, uint8_t *out)
{
	struct aes_block block;

	for (int i = 0; i < id->n; i++, out += SS_IDENTITY_LEN) {
		ss_identity_tcp_block(&block, id->keys[i], id->key_len, salt);
		aes_block_encrypt(&block, id->hashes[i], out);
		aes_block_wipe(&block);
	}
}

void ss_identity_put_udp(const struct ss_identity *id, const uint8_t ids[16], uint8_t *out)
{
	for (int i = 0; i < id->n; i++, out += SS_IDENTITY_LEN) {
		ss_identity_mix(out, id->hashes[i], ids);
		aes_block_encrypt(&id->blocks[i], out, out);
	}
}
