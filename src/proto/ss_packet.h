/*
 * Shadowsocks UDP datagrams, both generations and roles, without sockets:
 * bytes, time and (in tests) randomness come in, bytes go out. SIP004: salt and
 * one sealed box under a key of its own. SIP022 AES: a header of session and
 * packet id under AES-ECB, then a box under the session's key. SIP022 ChaCha20:
 * one XChaCha20 box under the PSK with the ids inside. docs/wire-formats.md has the bytes.
 *
 * A codec belongs to one server (client role) or one listener (server role) and
 * is shared by all its sessions. A struct ss_packet_session is one SENDER's
 * session: the caller keeps one per direction and association, and the codec
 * caches the session's key in it. SIP004 sessions are just a place to stand.
 *
 * Receiving is two steps, because the session must be found in between:
 *	ss_packet_identify()  session and packet id (SIP022 AES: unauthenticated!)
 *	... the caller finds its ss_packet_session by id, or passes a fresh one ...
 *	ss_packet_open()      authenticates and parses; only then may the caller
 *	                      update the replay window, the peer's address, LRU.
 */
#ifndef GATUN_PROTO_SS_PACKET_H
#define GATUN_PROTO_SS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "crypto/aead.h"
#include "crypto/aes_block.h"
#include "crypto/kdf_lanes.h"
#include "crypto/method.h"
#include "proto/ss_users.h"

/* What a sealed datagram adds at most to its payload: chacha20 24 + 16 + 19 +
 * 16, a name of 255 bytes, and no padding. Identities (ss_packet_codec's
 * identity_len) come on top of it. */
#define SS_PACKET_OVERHEAD_MAX (24 + 16 + 19 + 259 + 16)
#define SS_TIME_SKEW_MAX 30

enum ss_role { SS_CLIENT, SS_SERVER };

/* SIP004 keys derived many at once, used one after another, wiped when used. */
struct ss_packet_keys {
	uint8_t salts[KDF_LANES][SS_SALT_MAX], keys[KDF_LANES][SS_KEY_MAX];
	int next, n;
};

struct ss_packet_codec {
	const struct ss_method *method;
	const struct aead_ops *ops;
	enum ss_role role; /* ours: decides which type we send and accept */
	uint8_t key[SS_KEY_MAX];
	struct aes_block header; /* SIP022 AES, under key */
	const struct ss_identity *identity; /* client, or NULL */
	const struct ss_users *users;	    /* server, or NULL */
	uint16_t identity_len;		    /* bytes of identities in a datagram towards the server */
	struct aead_key psk;	 /* SIP022 ChaCha20: the one key of all */
	struct ss_packet_keys fresh;	/* SIP004: random salts to seal with */
	struct ss_packet_keys expected; /* SIP004: salts about to be opened */
};

/* One direction of one SIP022 session, by the id of who sends. */
struct ss_packet_session {
	uint64_t id;
	uint64_t next_packet_id; /* sending; starts at 1 */
	struct aead_key aead;	 /* SIP022 AES */
	const struct ss_user *user; /* server with users: under whose key; else NULL */
};

/* key: method->key_len bytes. 0, or -ENOTSUP: no back-end for this method. The
 * codec and sessions must not move in memory while in use. */
int ss_packet_codec_init(struct ss_packet_codec *c, const struct ss_method *m, enum ss_role role, const uint8_t *key);
/* SIP023, after init, once at most; both are borrowed for the codec's life. A
 * client's key is its own (the last), its identity the keys before it. A
 * server's key is the one that all its users share. */
void ss_packet_codec_set_identity(struct ss_packet_codec *c, const struct ss_identity *identity);
void ss_packet_codec_set_users(struct ss_packet_codec *c, const struct ss_users *users);
void ss_packet_codec_wipe(struct ss_packet_codec *c);

/* A session of ours (id from random_u64, not 0) or of the peer (id as
 * identified). Cheap: the key is derived here, the schedule when first used. */
void ss_packet_session_init(const struct ss_packet_codec *c, struct ss_packet_session *s, uint64_t id);
/* The same under a user's key (server with users; NULL is the codec's key). */
void ss_packet_session_init_for(const struct ss_packet_codec *c, struct ss_packet_session *s, uint64_t id,
				const struct ss_user *user);
void ss_packet_session_wipe(struct ss_packet_session *s);

/* ---- sealing ---- */

struct ss_packet_out {
	const struct target *remote;	/* client: where to; server: who sent it (an IP) */
	uint64_t now;			/* unix seconds */
	uint64_t client_session_id;	/* server role, SIP022 */
	uint16_t padding;		/* SIP022: zero bytes to add */
	const uint8_t *random;		/* SIP004: the salt, ChaCha20: the nonce; NULL: drawn */
};
/* Where the payload starts in a sealed datagram. A payload that already lies
 * at out + this is not copied. */
size_t ss_packet_payload_offset(const struct ss_packet_codec *c, const struct ss_packet_out *o);
/* Seals one datagram into out and counts the session's packet id up. Returns
 * its length, -EMSGSIZE if out_size is too small, or -EOVERFLOW when packet ids
 * are used up (begin a new session). */
ssize_t ss_packet_seal(struct ss_packet_codec *c, struct ss_packet_session *s, const struct ss_packet_out *o,
		       const uint8_t *payload, size_t len, uint8_t *out, size_t out_size);

/* ---- opening ---- */

struct ss_packet {
	uint64_t session_id, packet_id; /* SIP022, else 0 */
	uint64_t client_session_id;	/* SIP022, client role: the echo; compare it with your own */
	uint64_t timestamp;		/* SIP022 */
	struct ss_user *user;		/* server with users: whom it names, unproven until opened with that user's session */
	const uint8_t *salt;		/* SIP004: method->key_len bytes inside the datagram */
	struct target remote;
	uint8_t *payload;		/* inside the datagram */
	size_t len;
	uint8_t *body;			/* ss_packet: the opened body between the two steps */
};

/* Step 1. 0; -EPROTO: too short; -EBADMSG: forged (ChaCha20, which is opened
 * here and in place), or of no known user. SIP004: only checks the length. */
int ss_packet_identify(struct ss_packet_codec *c, uint8_t *data, size_t len, struct ss_packet *p);
/* Takes step 1 back, once it has succeeded: the datagram is again as it came. */
void ss_packet_unidentify(struct ss_packet_codec *c, uint8_t *data, size_t len);
/* Step 2, in place, with the p of step 1. s is not used by SIP004 and ChaCha20
 * and may be NULL for them. 0; -EBADMSG: forged; -EPROTO: sealed but meaningless (type, address,
 * length); -ETIME: timestamp off by more than 30 s (p->timestamp tells). */
int ss_packet_open(struct ss_packet_codec *c, struct ss_packet_session *s, uint64_t now, uint8_t *data, size_t len,
		   struct ss_packet *p);

/* Who has several datagrams to open may say so: their keys are derived
 * together, which is five times cheaper (SIP004, where the CPU has lanes).
 * Returns how many datagrams to announce now: 0 while those of the last time
 * are not used up, and where nothing is gained. */
int ss_packet_wants_next(const struct ss_packet_codec *c);
/* The next n datagrams (each at least as long as a salt) in the order in which
 * they will be opened. Announcing what then does not come costs time only. */
void ss_packet_expect(struct ss_packet_codec *c, const uint8_t *const *datagrams, int n);

/* |a - b| <= 30 s without overflow. */
static inline bool ss_time_ok(uint64_t now, uint64_t ts)
{
	return (now > ts ? now - ts : ts - now) <= SS_TIME_SKEW_MAX;
}

#endif
