/*
 * SIP023 identity headers, written by a client and looked up by a server.
 *
 * The table of users is a hash table over the 16 bytes that a header decrypts
 * to, under the process's SipHash key: neither its order nor its chains tell
 * an outsider anything, and the 16 bytes are compared in constant time. A
 * user's tag is that same keyed hash.
 *
 * TCP's key schedule is made for every connection, since its key comes from the
 * salt; UDP's stand ready. It does not know what follows a header.
 */
#include "proto/ss_identity.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
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

static void hash_key(const uint8_t *key, size_t key_len, uint8_t out[SS_IDENTITY_LEN])
{
	blake3_hash_short(key, key_len, out, SS_IDENTITY_LEN);
}

/* The schedule for one connection's header: derive_key(..., key || salt). */
static void init_tcp_block(struct aes_block *b, const uint8_t *key, size_t key_len, const uint8_t *salt)
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

static void mix(uint8_t *out, const uint8_t *a, const uint8_t *b)
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
		hash_key(i + 1 < n ? keys[i + 1] : user_key, m->key_len, id->hashes[i]);
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
		init_tcp_block(&block, id->keys[i], id->key_len, salt);
		aes_block_encrypt(&block, id->hashes[i], out);
		aes_block_wipe(&block);
	}
}

void ss_identity_put_udp(const struct ss_identity *id, const uint8_t ids[16], uint8_t *out)
{
	for (int i = 0; i < id->n; i++, out += SS_IDENTITY_LEN) {
		mix(out, id->hashes[i], ids);
		aes_block_encrypt(&id->blocks[i], out, out);
	}
}

/* ---- the server ---- */

struct ss_users {
	struct aes_block block; /* under the server's key */
	uint8_t key[SS_KEY_MAX], key_len;
	struct hash by_hash;
	struct ss_user **items;
	int n;
};

struct ss_users *ss_users_new(const struct ss_method *m, const uint8_t *key)
{
	struct ss_users *u = calloc(1, sizeof(*u));

	assert(ss_identity_supported(m));
	if (!u)
		return NULL;
	if (hash_init(&u->by_hash) != 0) {
		free(u);
		return NULL;
	}
	u->key_len = m->key_len;
	memcpy(u->key, key, m->key_len);
	aes_block_init(&u->block, key, m->key_len);
	return u;
}

static void free_user(struct ss_user *user)
{
	aes_block_wipe(&user->header);
	sodium_memzero(user, sizeof(*user));
	free(user);
}

void ss_users_free(struct ss_users *u)
{
	if (!u)
		return;
	for (int i = 0; i < u->n; i++)
		free_user(u->items[i]);
	free(u->items);
	hash_free(&u->by_hash);
	aes_block_wipe(&u->block);
	sodium_memzero(u, sizeof(*u));
	free(u);
}

static struct ss_user *find(const struct ss_users *u, const uint8_t hash[SS_IDENTITY_LEN])
{
	uint64_t h = hash_bytes(hash, SS_IDENTITY_LEN);

	for (struct hash_node *n = hash_first(&u->by_hash, h); n; n = hash_next(n, h)) {
		struct ss_user *user = container_of(n, struct ss_user, node);

		if (sodium_memcmp(user->hash, hash, SS_IDENTITY_LEN) == 0)
			return user;
	}
	return NULL;
}

int ss_users_add(struct ss_users *u, const char *name, const uint8_t *key)
{
	struct ss_user **items = realloc(u->items, sizeof(struct ss_user *) * (size_t)(u->n + 1)), *user;
	uint8_t hash[SS_IDENTITY_LEN];

	if (!items)
		return -ENOMEM;
	u->items = items;
	hash_key(key, u->key_len, hash);
	if (find(u, hash))
		return -EEXIST;
	user = calloc(1, sizeof(*user));
	if (!user)
		return -ENOMEM;
	user->name = name;
	memcpy(user->key, key, u->key_len);
	memcpy(user->hash, hash, sizeof(hash));
	aes_block_init(&user->header, key, u->key_len);
	user->tag = hash_bytes(hash, sizeof(hash));
	hash_insert(&u->by_hash, &user->node, user->tag);
	items[u->n++] = user;
	return 0;
}

int ss_users_count(const struct ss_users *u)
{
	return u->n;
}

struct ss_user *ss_users_at(const struct ss_users *u, int i)
{
	return u->items[i];
}

struct ss_user *ss_users_find_tcp(const struct ss_users *u, const uint8_t *salt, const uint8_t header[SS_IDENTITY_LEN])
{
	uint8_t hash[SS_IDENTITY_LEN];
	struct aes_block block;

	init_tcp_block(&block, u->key, u->key_len, salt);
	aes_block_decrypt(&block, header, hash);
	aes_block_wipe(&block);
	return find(u, hash);
}

struct ss_user *ss_users_find_udp(const struct ss_users *u, const uint8_t ids[16], const uint8_t header[SS_IDENTITY_LEN])
{
	uint8_t hash[SS_IDENTITY_LEN];

	aes_block_decrypt(&u->block, header, hash);
	mix(hash, hash, ids);
	return find(u, hash);
}
