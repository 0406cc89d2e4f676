/*
 * The Shadowsocks TCP stream, both generations and roles, without sockets or
 * clocks: bytes, time and randomness come in, bytes go out.
 *
 * Sending: the caller puts payload where it belongs in its own buffer and has
 * it sealed there, or has a chunk sealed straight from where it lies.
 * Receiving: the opener says how many bytes its next unit has (salt, header,
 * length, payload); the caller hands it exactly these, together, and they are
 * opened in place. Who splits and joins bytes is the caller's business.
 *
 *	SIP004		salt | length chunk | length chunk ...
 *	SIP022 request	salt+[identities+]fixed header | variable header | length chunk ...
 *	SIP022 response	salt+fixed header | chunk | length chunk ...
 */
#ifndef GATUN_PROTO_SS_STREAM_H
#define GATUN_PROTO_SS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "crypto/aead.h"
#include "crypto/method.h"
#include "proto/ss_addr.h"
#include "proto/ss_users.h"
#include "proto/true_connect.h"

#define SS_CHUNK_OVERHEAD (2 + AEAD_TAG_LEN + AEAD_TAG_LEN)
#define SS_PADDING_MAX 900

/* What only the beginning of a stream needs; the caller may free it after. */
struct ss_handshake {
	uint8_t salt[SS_SALT_MAX]; /* the request's: client: own, for the echo; server: received */
	uint64_t timestamp;	   /* SIP022: the peer's, also after -ETIME */
	struct target target;
	const struct ss_users *users; /* server: who may come, or NULL: anyone with the key */
	struct ss_user *user;	      /* server with users: who came, once past SS_UNIT_HEAD */
	bool asks_connect; /* SIP022 server: the client wants to be told how the connect ended */
	uint16_t addr_len; /* SIP004 server: bytes of an address that came in parts */
	uint8_t addr[SS_ADDR_MAX];
};

/* ---- sending ---- */

struct ss_sealer {
	const struct ss_method *method;
	uint64_t nonce;
	struct aead_key aead;
	bool asks_connect; /* SIP022 client: the request's padding, of at least
			    * TRUE_CONNECT_MARK_LEN, begins with the mark */
};

/* Largest payload of one chunk: 0x3FFF, SIP022 0xFFFF. */
size_t ss_chunk_max(const struct ss_method *m);
/* Begins a direction: derives its key from master key and salt. 0 or -ENOTSUP. */
int ss_sealer_init(struct ss_sealer *s, const struct ss_method *m, const uint8_t *key, const uint8_t *salt);
void ss_sealer_wipe(struct ss_sealer *s);

/* Where the payload of a request stands in its buffer. id: the client's
 * identities, here and below, or NULL for none. */
size_t ss_request_offset(const struct ss_method *m, const struct ss_identity *id, const struct target *t, uint16_t padding);
/* Largest payload that fits in a request. */
size_t ss_request_payload_max(const struct ss_method *m, const struct target *t, uint16_t padding);
/* Writes salt and headers around `len` bytes of payload that stand at their
 * offset, and seals. SIP022 needs padding (1..900) where len is 0; the padding is zero
 * bytes. Returns the total length: offset + len + 16. */
size_t ss_seal_request(struct ss_sealer *s, const struct ss_identity *id, const uint8_t *salt, uint64_t now,
		       const struct target *t, uint16_t padding, size_t len, uint8_t *out);
/* The same for the server's first bytes. len is 1..chunk_max: there is no
 * empty response. */
size_t ss_response_offset(const struct ss_method *m);
size_t ss_seal_response(struct ss_sealer *s, const uint8_t *salt, uint64_t now, const uint8_t *request_salt, size_t len,
			uint8_t *out);
/* SIP022, to a client that asked for it, as the server's first bytes: how the
 * connect ended. No payload: chunks may follow. Returns ss_connect_answer_len(). */
size_t ss_connect_answer_len(const struct ss_method *m);
size_t ss_seal_connect_answer(struct ss_sealer *s, const uint8_t *salt, uint64_t now, const uint8_t *request_salt,
			      enum flow_end why, uint8_t *out);
/* The second answer, where the first was that it has not ended yet (END_COUNT).
 * Returns SS_CONNECT_ANSWER_CHUNK. */
#define SS_CONNECT_ANSWER_CHUNK (2 + AEAD_TAG_LEN + TRUE_CONNECT_ANSWER_LEN + AEAD_TAG_LEN)
size_t ss_seal_connect_answer_chunk(struct ss_sealer *s, enum flow_end why, uint8_t *out);
/* One chunk, 1..chunk_max bytes from `in`, which is apart or out + 18.
 * Returns len + SS_CHUNK_OVERHEAD. */
#define SS_CHUNK_OFFSET (2 + AEAD_TAG_LEN)
size_t ss_seal_chunk(struct ss_sealer *s, const uint8_t *in, size_t len, uint8_t *out);

/* ---- receiving ---- */

enum ss_unit { SS_UNIT_SALT, SS_UNIT_HEAD, SS_UNIT_REQUEST, SS_UNIT_LENGTH, SS_UNIT_CHUNK, SS_UNIT_ANSWER };

struct ss_opener {
	const struct ss_method *method;
	uint64_t nonce;
	struct aead_key aead;
	uint32_t need; /* bytes of the next unit; never 0 */
	uint8_t unit;  /* which it is */
	bool server;   /* our role */
	bool addressed; /* server: the target is known */
	/* client that asked for the result of the connect */
	bool asked;	/* set by the caller before the first unit */
	bool answer_due; /* the head was empty: a chunk of no length announces it */
	bool answered;	/* it came, or that it has not ended yet (END_COUNT): */
	enum flow_end answer;
};

struct ss_opened {
	uint8_t *data; /* payload inside the unit */
	size_t len;    /* 0: this unit carried none */
};

void ss_opener_init(struct ss_opener *o, const struct ss_method *m, bool server);
/* Server, before the first unit: clients say who they are, and only these are
 * let in. The method must support identities. */
void ss_opener_use_users(struct ss_opener *o, struct ss_handshake *hs, const struct ss_users *users);
void ss_opener_wipe(struct ss_opener *o);
/* Opens `o->need` bytes at `unit`. hs is needed until the head was opened
 * (client) or o->addressed (server); key only for the first unit. 0; -EBADMSG: a tag did not
 * verify; -EPROTO: sealed but meaningless; -ETIME: timestamp off by more than
 * 30 s. After an error the opener is dead. Server with users: the stream goes on
 * under hs->user's key, and an unknown user is -EBADMSG.
 * Server: hs->salt may be checked against replay as soon as o->unit is past
 * SS_UNIT_HEAD (SIP022), or at the first chunk (SIP004): then it is authentic. */
int ss_opener_next(struct ss_opener *o, const uint8_t *key, struct ss_handshake *hs, uint64_t now, uint8_t *unit,
		   struct ss_opened *out);
/* True where the peer may end: at a chunk's end, with nothing pending. */
static inline bool ss_opener_at_boundary(const struct ss_opener *o)
{
	return o->unit == SS_UNIT_LENGTH && (!o->server || o->addressed);
}

#endif
