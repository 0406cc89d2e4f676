/*
 * SIP023: who a client is, said in 16 bytes per hop before everything else.
 *
 * A client's password is iPSK0:iPSK1:...:uPSK. For each key but the last it
 * sends one identity header: the hash of the next key, under AES-ECB with a key
 * that comes from this one. A server with users knows one iPSK and each user's
 * uPSK; from the header it learns whose key the rest is sealed with.
 *
 *	TCP  salt | header... | ...        key: derive(iPSK, salt)   plain: hash
 *	UDP  ids | header... | box         key: iPSK                 plain: hash XOR ids
 *
 * The header is not authentic by itself: only the box under the user's key,
 * opened, proves the user. All users share the iPSK, so each of them can read
 * the others' headers and session ids, and nothing more.
 *
 * No sockets, clocks or randomness here (docs/wire-formats.md, SIP023).
 */
#ifndef GATUN_PROTO_SS_IDENTITY_H
#define GATUN_PROTO_SS_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/aes_block.h"
#include "crypto/method.h"

#define SS_IDENTITY_LEN 16
#define SS_IDENTITY_MAX 8 /* keys before the user's own */

/* The 2022 methods with AES have identities, no others do. */
bool ss_identity_supported(const struct ss_method *m);

/* Bytes that a UDP datagram grows by in the larger direction, like
 * method->udp_overhead, when n identities go before it. */
unsigned ss_identity_udp_overhead(const struct ss_method *m, int n);

/* ---- the client ---- */

/* The keys on the way to the user's, ready to be said. */
struct ss_identity {
	int n; /* 1..SS_IDENTITY_MAX headers */
	uint8_t key_len;
	uint8_t keys[SS_IDENTITY_MAX][SS_KEY_MAX];
	uint8_t hashes[SS_IDENTITY_MAX][SS_IDENTITY_LEN]; /* of the key after keys[i] */
	struct aes_block blocks[SS_IDENTITY_MAX];	  /* under keys[i]; [0] hides UDP's ids as well */
};

/* keys: the n identity keys, first hop first; user_key: the client's own. All
 * are copied. NULL: no memory. */
struct ss_identity *ss_identity_new(const struct ss_method *m, const uint8_t (*keys)[SS_KEY_MAX], int n, const uint8_t *user_key);
/* Wipes and frees; NULL is nothing. */
void ss_identity_free(struct ss_identity *);

/* What the headers take; 0 for NULL. */
static inline size_t ss_identity_len(const struct ss_identity *i)
{
	return i ? (size_t)i->n * SS_IDENTITY_LEN : 0;
}
/* Write ss_identity_len() bytes. salt has key_len bytes; ids is the clear
 * separate header of the datagram. */
void ss_identity_put_tcp(const struct ss_identity *, const uint8_t *salt, uint8_t *out);
void ss_identity_put_udp(const struct ss_identity *, const uint8_t ids[16], uint8_t *out);

/* ---- both ends ---- */

/* What a header says of a key: 16 bytes of its hash. */
void ss_identity_hash_key(const uint8_t *key, size_t key_len, uint8_t out[SS_IDENTITY_LEN]);
/* The schedule for the headers of one TCP connection: derive_key(..., key || salt). */
void ss_identity_tcp_block(struct aes_block *b, const uint8_t *key, size_t key_len, const uint8_t *salt);
void ss_identity_mix(uint8_t *out, const uint8_t *a, const uint8_t *b);

#endif
