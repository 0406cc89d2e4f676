/*
 * Names and passwords, compared in a time that tells nothing of either: both
 * sides are hashed under a key of this process, every user is looked at, and
 * the hashes are compared in constant time.
 */
#include <sodium.h>

#include "inbound/mixed_guest.h"

#define DIGEST 32

static void digest(const uint8_t *key, const void *name, size_t name_len, const void *password, size_t password_len, uint8_t *out)
{
	crypto_generichash_state s;
	uint8_t len = (uint8_t)name_len; /* at most 255: where the name ends is part of it */

	crypto_generichash_init(&s, key, crypto_generichash_KEYBYTES, DIGEST);
	crypto_generichash_update(&s, &len, 1);
	crypto_generichash_update(&s, name, name_len);
	crypto_generichash_update(&s, password, password_len);
	crypto_generichash_final(&s, out, DIGEST);
	sodium_memzero(&s, sizeof(s));
}

bool guest_admitted(const struct config_users *users, const void *name, size_t name_len, const void *password, size_t password_len)
{
	static uint8_t key[crypto_generichash_KEYBYTES];
	static bool keyed;
	uint8_t given[DIGEST], known[DIGEST];
	bool found = false;

	if (!users || users->n == 0)
		return true;
	if (!keyed)
		randombytes_buf(key, sizeof(key));
	keyed = true;
	if (name_len > 255)
		return false;
	digest(key, name, name_len, password, password_len, given);
	for (int i = 0; i < users->n; i++) {
		const struct config_user *u = &users->items[i];

		digest(key, u->name, strlen(u->name), u->password, strlen(u->password), known);
		found |= sodium_memcmp(given, known, DIGEST) == 0;
	}
	return found;
}
