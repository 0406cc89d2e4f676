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
 * No sockets, clocks or randomness here (wire-formats.md section 3).
 */
#ifndef GATUN_PROTO_SS_IDENTITY_H
#define GATUN_PROTO_SS_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
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

/* ---- the server ---- */

/* What a user did. Payload bytes; up is from the user. */
struct ss_user_counters {
	uint64_t tcp_flows, tcp_up, tcp_down;
	uint64_t udp_sessions, udp_up, udp_down, datagrams_up, datagrams_down;
};

struct ss_user {
	struct hash_node node;
	const char *name; /* borrowed */
	uint64_t tag;	  /* tells users apart where a number must; no outsider can guess it */
	uint8_t key[SS_KEY_MAX], hash[SS_IDENTITY_LEN];
	struct aes_block header; /* under key: hides the ids of UDP replies */
	struct ss_user_counters counters;
};

struct ss_users;
/* key: the server's own (the iPSK), copied. NULL: no memory. */
struct ss_users *ss_users_new(const struct ss_method *m, const uint8_t *key);
/* Wipes and frees, the users as well; NULL is nothing. */
void ss_users_free(struct ss_users *);
/* The key is copied, the name is not. 0, -EEXIST (another user has this key) or -ENOMEM. */
int ss_users_add(struct ss_users *, const char *name, const uint8_t *key);
int ss_users_count(const struct ss_users *);
struct ss_user *ss_users_at(const struct ss_users *, int i); /* in the order of adding */
/* Whom a header names, or NULL. Users live until ss_users_free(). */
struct ss_user *ss_users_find_tcp(const struct ss_users *, const uint8_t *salt, const uint8_t header[SS_IDENTITY_LEN]);
struct ss_user *ss_users_find_udp(const struct ss_users *, const uint8_t ids[16], const uint8_t header[SS_IDENTITY_LEN]);

#endif
