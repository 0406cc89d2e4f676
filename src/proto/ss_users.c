/*
 * The server's table of users; see ss_users.h.
 *
 * It is a hash table over the 16 bytes that an identity header decrypts to, under
 * the process's SipHash key: neither its order nor its chains tell an outsider
 * anything, and the 16 bytes are compared in constant time. A user's tag is that
 * same keyed hash. User "" is in no chain: no header names him.
 *
 * The header is not authentic by itself: only the box under the user's key,
 * opened, proves the user. So he is held from then on, not before.
 */
#include "proto/ss_users.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct ss_users {
	const struct ss_method *method;
	struct aes_block block; /* under the server's key; SIP022 with AES */
	uint8_t key[SS_KEY_MAX];
	struct hash by_hash;
	struct ss_user **items;
	int n;
	struct ss_user_counters former; /* of those who were removed */
};

static size_t key_len(const struct ss_users *u)
{
	return u->method->key_len;
}

/* ---- one user ---- */

static void set_user_key(const struct ss_users *u, struct ss_user *user, const uint8_t *key)
{
	memset(user->key, 0, sizeof(user->key));
	memcpy(user->key, key, key_len(u));
	if (ss_identity_supported(u->method))
		aes_block_init(&user->header, key, key_len(u));
}

static struct ss_user *make_user(const struct ss_users *u, const char *name, const uint8_t *key)
{
	struct ss_user *user = calloc(1, sizeof(*user));

	if (!user)
		return NULL;
	user->name = strdup(name);
	if (!user->name) {
		free(user);
		return NULL;
	}
	list_init(&user->holders);
	set_user_key(u, user, key);
	return user;
}

static void free_user(struct ss_user *user)
{
	free(user->name);
	free(user->next);
	aes_block_wipe(&user->header);
	sodium_memzero(user, sizeof(*user));
	free(user);
}

int ss_users_pass_on(struct ss_user *user, const struct target *next)
{
	if (!user->next)
		user->next = malloc(sizeof(*user->next));
	if (!user->next)
		return -ENOMEM;
	*user->next = *next;
	return 0;
}

/* Out of the table, and out of memory unless somebody still holds him. */
static void orphan(struct ss_user *user)
{
	user->removed = true;
	if (list_empty(&user->holders))
		free_user(user);
}

void ss_user_hold(struct ss_user *user, struct ss_user_holder *h, void (*changed)(struct ss_user_holder *, enum ss_user_change))
{
	h->user = user;
	h->changed = changed;
	list_init(&h->node);
	list_append(&user->holders, &h->node);
}

void ss_user_release(struct ss_user_holder *h)
{
	struct ss_user *user = h->user;

	if (!user)
		return;
	h->user = NULL;
	list_remove(&h->node);
	if (user->removed && list_empty(&user->holders))
		free_user(user);
}

static void tell_holders(struct ss_user *user, enum ss_user_change change)
{
	list_for_each_safe (it, &user->holders) {
		struct ss_user_holder *h = container_of(it, struct ss_user_holder, node);

		h->changed(h, change);
	}
}

/* ---- life ---- */

static void set_key(struct ss_users *u, const struct ss_method *m, const uint8_t *key)
{
	u->method = m;
	memset(u->key, 0, sizeof(u->key));
	memcpy(u->key, key, m->key_len);
	if (ss_identity_supported(m))
		aes_block_init(&u->block, key, m->key_len);
}

struct ss_users *ss_users_new(const struct ss_method *m, const uint8_t *key)
{
	struct ss_users *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	if (hash_init(&u->by_hash) != 0) {
		free(u);
		return NULL;
	}
	set_key(u, m, key);
	return u;
}

void ss_users_free(struct ss_users *u)
{
	if (!u)
		return;
	for (int i = 0; i < u->n; i++)
		orphan(u->items[i]);
	free(u->items);
	hash_free(&u->by_hash);
	aes_block_wipe(&u->block);
	sodium_memzero(u, sizeof(*u));
	free(u);
}

/* ---- the table ---- */

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

static void enter(struct ss_users *u, struct ss_user *user)
{
	ss_identity_hash_key(user->key, key_len(u), user->hash);
	user->tag = hash_bytes(user->hash, sizeof(user->hash));
	hash_insert(&u->by_hash, &user->node, user->tag);
}

static struct ss_user *append(struct ss_users *u, const char *name, const uint8_t *key)
{
	struct ss_user **items = realloc(u->items, sizeof(struct ss_user *) * (size_t)(u->n + 1)), *user;

	if (!items)
		return NULL;
	u->items = items;
	user = make_user(u, name, key);
	if (user)
		items[u->n++] = user;
	return user;
}

int ss_users_add(struct ss_users *u, const char *name, const uint8_t *key)
{
	uint8_t hash[SS_IDENTITY_LEN];
	struct ss_user *user;

	assert(ss_identity_supported(u->method));
	ss_identity_hash_key(key, key_len(u), hash);
	if (find(u, hash))
		return -EEXIST;
	user = append(u, name, key);
	if (!user)
		return -ENOMEM;
	enter(u, user);
	return 0;
}

int ss_users_add_anyone(struct ss_users *u)
{
	assert(u->n == 0);
	return append(u, "", u->key) ? 0 : -ENOMEM;
}

static bool is_anyone(const struct ss_user *user)
{
	return !*user->name;
}

static void add_counters(struct ss_user_counters *sum, const struct ss_user_counters *n)
{
	sum->tcp_flows += n->tcp_flows;
	sum->tcp_up += n->tcp_up;
	sum->tcp_down += n->tcp_down;
	sum->udp_sessions += n->udp_sessions;
	sum->udp_up += n->udp_up;
	sum->udp_down += n->udp_down;
	sum->datagrams_up += n->datagrams_up;
	sum->datagrams_down += n->datagrams_down;
}

void ss_users_total(const struct ss_users *u, struct ss_user_counters *out)
{
	*out = u->former;
	for (int i = 0; i < u->n; i++)
		add_counters(out, &u->items[i]->counters);
}

void ss_users_remove(struct ss_users *u, struct ss_user *user)
{
	int i = 0;

	while (u->items[i] != user)
		i++;
	memmove(&u->items[i], &u->items[i + 1], sizeof(u->items[0]) * (size_t)(--u->n - i));
	if (!is_anyone(user))
		hash_remove(&u->by_hash, &user->node);
	tell_holders(user, SS_USER_REMOVED);
	add_counters(&u->former, &user->counters);
	orphan(user);
}

int ss_users_rekey(struct ss_users *u, struct ss_user *user, const uint8_t *key)
{
	uint8_t hash[SS_IDENTITY_LEN];

	if (sodium_memcmp(user->key, key, key_len(u)) == 0)
		return 0;
	ss_identity_hash_key(key, key_len(u), hash);
	if (find(u, hash))
		return -EEXIST;
	tell_holders(user, SS_USER_REKEYED);
	hash_remove(&u->by_hash, &user->node);
	set_user_key(u, user, key);
	enter(u, user);
	return 0;
}

void ss_users_set_key(struct ss_users *u, const struct ss_method *m, const uint8_t *key)
{
	struct ss_user *anyone = ss_users_anyone(u);

	assert(u->n == 0 || anyone || m == u->method);
	for (int i = 0; i < u->n; i++)
		tell_holders(u->items[i], SS_USER_REKEYED);
	set_key(u, m, key);
	if (anyone)
		set_user_key(u, anyone, key);
}

int ss_users_count(const struct ss_users *u)
{
	return u->n;
}

struct ss_user *ss_users_at(const struct ss_users *u, int i)
{
	return u->items[i];
}

struct ss_user *ss_users_find_name(const struct ss_users *u, const char *name)
{
	for (int i = 0; i < u->n; i++)
		if (strcmp(u->items[i]->name, name) == 0)
			return u->items[i];
	return NULL;
}

struct ss_user *ss_users_anyone(const struct ss_users *u)
{
	return u->n && is_anyone(u->items[0]) ? u->items[0] : NULL;
}

/* ---- who is it? ---- */

struct ss_user *ss_users_find_tcp(const struct ss_users *u, const uint8_t *salt, const uint8_t header[SS_IDENTITY_LEN])
{
	uint8_t hash[SS_IDENTITY_LEN];
	struct aes_block block;

	ss_identity_tcp_block(&block, u->key, key_len(u), salt);
	aes_block_decrypt(&block, header, hash);
	aes_block_wipe(&block);
	return find(u, hash);
}

struct ss_user *ss_users_find_udp(const struct ss_users *u, const uint8_t ids[16], const uint8_t header[SS_IDENTITY_LEN])
{
	uint8_t hash[SS_IDENTITY_LEN];

	aes_block_decrypt(&u->block, header, hash);
	ss_identity_mix(hash, hash, ids);
	return find(u, hash);
}
