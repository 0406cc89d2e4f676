/*
 * AEAD ciphers: one const vtable per back-end and kind, and keys that expand
 * themselves when they are used.
 *
 * Back-ends are ipsec-mb (where built and the CPU has it), libcrypto (the
 * floor for every kind) and libsodium (ChaCha20). aead_ops_for() picks one at
 * run time, by CPU and by a known-answer self-test, when a kind is first asked
 * for; nothing is loaded or initialised before that.
 *
 * A key schedule is 1 KiB and more, so flows do not own one: struct aead_key
 * holds the 32-byte key and borrows a slot of a process-wide cache while it is
 * busy. A flow that idles loses its slot to others (or to aead_cache_trim) and
 * gets another in about 0.2 us when it wakes. No allocation on the hot path,
 * and sealing never fails.
 */
#ifndef GATUN_CRYPTO_AEAD_H
#define GATUN_CRYPTO_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/method.h"

#define AEAD_TAG_LEN 16
#define AEAD_NONCE_MAX 24

struct aead_ops {
	const char *backend; /* "ipsec-mb", "libcrypto", "libsodium" */
	enum aead_kind kind;
	uint8_t key_len, nonce_len;
	uint32_t ctx_size; /* of an expanded context; it lies on 64 bytes */
	/* Expands `key` into ctx. ctx is zeroed memory, or was initialised
	 * before by the same ops. */
	void (*init)(void *ctx, const uint8_t *key);
	/* Writes len + 16 bytes to out; out may be `in`, else they are apart. */
	void (*seal)(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out);
	/* len counts the tag (>= 16); writes len - 16 bytes. out may be `in`.
	 * 0, or -EBADMSG: then out holds garbage that must not be used. */
	int (*open)(void *ctx, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out);
	/* Erases the key and releases what init() made. */
	void (*wipe)(void *ctx);
};

/* The fastest back-end that passed its self-test. NULL only if even libcrypto
 * failed it: then nothing of that kind may run. */
const struct aead_ops *aead_ops_for(enum aead_kind kind);
/* The i-th back-end of a kind that this CPU can run, best first, or NULL past
 * the end: for tests and `gatun ciphers`. */
const struct aead_ops *aead_backend_at(enum aead_kind kind, int i);
/* Known answer, in place, and a forgery that must be refused. */
bool aead_self_test(const struct aead_ops *ops);

/* ---- keys with a borrowed schedule ---- */

struct aead_slot;
struct aead_key {
	const struct aead_ops *ops;
	struct aead_slot *slot;
	uint8_t key[SS_KEY_MAX];
};

/* Copies ops->key_len bytes. The struct must not move until
 * aead_key_wipe() has ended it, which may be called twice. */
void aead_key_init(struct aead_key *k, const struct aead_ops *ops, const uint8_t *key);
void aead_key_wipe(struct aead_key *k);
/* As the vtable's, with nonce_len bytes of nonce. */
void aead_seal(struct aead_key *k, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out);
int aead_open(struct aead_key *k, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out);

/* A key that serves one message (SIP004 UDP): no slot changes hands. */
void aead_seal_once(const struct aead_ops *, const uint8_t *key, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out);
int aead_open_once(const struct aead_ops *, const uint8_t *key, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out);

/* Frees the schedules that nobody used since the last call. Called by the same
 * slow timer as buf_pool_trim(). */
void aead_cache_trim(void);
/* Schedules held now. */
size_t aead_cache_count(void);

#endif
