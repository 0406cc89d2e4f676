/*
 * TCP codecs of both generations. A direction is a key and a counter; every
 * box takes the next nonce. The opener is a small state machine over units
 * whose length it always knows beforehand, so whoever feeds it needs no
 * understanding of the format, and a box is opened where it lies.
 */
#include "proto/ss_stream.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/kdf.h"
#include "proto/ss_packet.h" /* ss_time_ok */

#define HEAD_LEN 11u /* type, timestamp, length */
#define SIP004_CHUNK_MAX 0x3FFF
#define SIP022_CHUNK_MAX 0xFFFF

enum { TYPE_REQUEST = 0, TYPE_RESPONSE = 1 };

/* The counter as a little-endian nonce of whatever length. */
static inline void next_nonce(uint64_t *counter, uint8_t nonce[AEAD_NONCE_MAX])
{
	uint64_t v = htole64((*counter)++);

	memset(nonce, 0, AEAD_NONCE_MAX);
	memcpy(nonce, &v, sizeof(v));
}

static int begin(struct aead_key *k, uint64_t *nonce, const struct ss_method *m, const uint8_t *key, const uint8_t *salt)
{
	const struct aead_ops *ops = aead_ops_for(m->tcp);
	uint8_t subkey[SS_KEY_MAX];

	if (!ops)
		return -ENOTSUP;
	ss_subkey(m, key, salt, subkey);
	aead_key_init(k, ops, subkey);
	*nonce = 0;
	sodium_memzero(subkey, sizeof(subkey));
	return 0;
}

/* ---- sending ---- */

size_t ss_chunk_max(const struct ss_method *m)
{
	return m->sip022 ? SIP022_CHUNK_MAX : SIP004_CHUNK_MAX;
}

int ss_sealer_init(struct ss_sealer *s, const struct ss_method *m, const uint8_t *key, const uint8_t *salt)
{
	memset(s, 0, sizeof(*s));
	s->method = m;
	return begin(&s->aead, &s->nonce, m, key, salt);
}

void ss_sealer_wipe(struct ss_sealer *s)
{
	aead_key_wipe(&s->aead);
}

static size_t box(struct ss_sealer *s, const uint8_t *in, size_t len, uint8_t *out)
{
	uint8_t nonce[AEAD_NONCE_MAX];

	next_nonce(&s->nonce, nonce);
	aead_seal(&s->aead, nonce, in, len, out);
	return len + AEAD_TAG_LEN;
}

/* What stands in the request's second box before the payload. */
static size_t request_head(const struct ss_method *m, const struct target *t, uint16_t padding)
{
	return ss_addr_len(t) + (m->sip022 ? 2u + padding : 0u);
}

size_t ss_request_offset(const struct ss_method *m, const struct ss_identity *id, const struct target *t, uint16_t padding)
{
	size_t first = m->sip022 ? HEAD_LEN : 2;

	return m->key_len + ss_identity_len(id) + first + AEAD_TAG_LEN + request_head(m, t, padding);
}

size_t ss_request_payload_max(const struct ss_method *m, const struct target *t, uint16_t padding)
{
	return ss_chunk_max(m) - request_head(m, t, padding);
}

size_t ss_seal_request(struct ss_sealer *s, const struct ss_identity *id, const uint8_t *salt, uint64_t now,
		       const struct target *t, uint16_t padding, size_t len, uint8_t *out)
{
	const struct ss_method *m = s->method;
	size_t second = request_head(m, t, padding) + len;
	uint8_t *p = out + m->key_len + ss_identity_len(id), *body = p + (m->sip022 ? HEAD_LEN : 2) + AEAD_TAG_LEN;

	assert(len <= ss_request_payload_max(m, t, padding));
	memmove(out, salt, m->key_len);
	if (id)
		ss_identity_put_tcp(id, out, out + m->key_len);
	p[0] = TYPE_REQUEST;
	put64(p + 1, now);
	put16(m->sip022 ? p + 9 : p, second);
	box(s, p, m->sip022 ? HEAD_LEN : 2, p);
	p = body + ss_addr_encode(t, body);
	if (m->sip022) {
		put16(p, padding);
		memset(p + 2, 0, padding);
		if (s->asks_connect && padding >= TRUE_CONNECT_MARK_LEN)
			true_connect_put_mark(p + 2);
	}
	box(s, body, second, body);
	return (size_t)(body - out) + second + AEAD_TAG_LEN;
}

size_t ss_response_offset(const struct ss_method *m)
{
	return m->key_len + (m->sip022 ? HEAD_LEN + m->key_len : 2u) + AEAD_TAG_LEN;
}

/* SIP022: salt and fixed header. Returns where the first box follows. */
static uint8_t *put_response_head(struct ss_sealer *s, const uint8_t *salt, uint64_t now, const uint8_t *request_salt, size_t len,
				  uint8_t *out)
{
	size_t salt_len = s->method->key_len;
	uint8_t *p = out + salt_len;

	memmove(out, salt, salt_len);
	p[0] = TYPE_RESPONSE;
	put64(p + 1, now);
	memcpy(p + 9, request_salt, salt_len);
	put16(p + 9 + salt_len, len);
	return p + box(s, p, HEAD_LEN + salt_len, p);
}

size_t ss_seal_response(struct ss_sealer *s, const uint8_t *salt, uint64_t now, const uint8_t *request_salt, size_t len,
			uint8_t *out)
{
	const struct ss_method *m = s->method;
	uint8_t *p = out + m->key_len;

	assert(len > 0 && len <= ss_chunk_max(m));
	memmove(out, salt, m->key_len);
	if (!m->sip022)
		return m->key_len + ss_seal_chunk(s, p + SS_CHUNK_OFFSET, len, p);
	p = put_response_head(s, salt, now, request_salt, len, out);
	p += box(s, p, len, p);
	return (size_t)(p - out);
}

size_t ss_connect_answer_len(const struct ss_method *m)
{
	return ss_response_offset(m) + SS_CONNECT_ANSWER_CHUNK;
}

size_t ss_seal_connect_answer(struct ss_sealer *s, const uint8_t *salt, uint64_t now, const uint8_t *request_salt,
			      enum flow_end why, uint8_t *out)
{
	uint8_t *p = put_response_head(s, salt, now, request_salt, 0, out);

	return (size_t)(p - out) + ss_seal_connect_answer_chunk(s, why, p);
}

size_t ss_seal_connect_answer_chunk(struct ss_sealer *s, enum flow_end why, uint8_t *out)
{
	put16(out, 0);
	box(s, out, 2, out);
	true_connect_put_answer(why, out + SS_CHUNK_OFFSET);
	return SS_CHUNK_OFFSET + box(s, out + SS_CHUNK_OFFSET, TRUE_CONNECT_ANSWER_LEN, out + SS_CHUNK_OFFSET);
}

size_t ss_seal_chunk(struct ss_sealer *s, const uint8_t *in, size_t len, uint8_t *out)
{
	put16(out, len);
	box(s, out, 2, out);
	return SS_CHUNK_OFFSET + box(s, in, len, out + SS_CHUNK_OFFSET);
}

/* ---- receiving ---- */

static void expect(struct ss_opener *o, enum ss_unit unit, size_t need)
{
	o->unit = (uint8_t)unit;
	o->need = (uint32_t)need;
}

static void expect_length(struct ss_opener *o)
{
	expect(o, SS_UNIT_LENGTH, 2 + AEAD_TAG_LEN);
}

void ss_opener_init(struct ss_opener *o, const struct ss_method *m, bool server)
{
	size_t head = HEAD_LEN + AEAD_TAG_LEN + (server ? 0u : m->key_len);

	memset(o, 0, sizeof(*o));
	o->method = m;
	o->server = server;
	if (m->sip022)
		expect(o, SS_UNIT_HEAD, m->key_len + head);
	else
		expect(o, SS_UNIT_SALT, m->key_len);
}

void ss_opener_use_users(struct ss_opener *o, struct ss_handshake *hs, const struct ss_users *users)
{
	assert(o->server && o->unit == SS_UNIT_HEAD);
	hs->users = users;
	o->need += SS_IDENTITY_LEN;
}

void ss_opener_wipe(struct ss_opener *o)
{
	aead_key_wipe(&o->aead);
}

static int unbox(struct ss_opener *o, uint8_t *in, size_t len)
{
	uint8_t nonce[AEAD_NONCE_MAX];

	next_nonce(&o->nonce, nonce);
	return aead_open(&o->aead, nonce, in, len, in);
}

/* Whose key the rest is under. Nobody's: it is tried with the server's own, so
 * that a prober waits as long for the refusal, and refused whatever comes out. */
static const uint8_t *find_key(struct ss_handshake *hs, const uint8_t *key, const uint8_t *unit, size_t salt_len)
{
	hs->user = ss_users_find_tcp(hs->users, unit, unit + salt_len);
	return hs->user ? hs->user->key : key;
}

/* The salt, from which the key is made. The server keeps it for the replay check. */
static int open_salt(struct ss_opener *o, const uint8_t *key, struct ss_handshake *hs, const uint8_t *unit)
{
	if (o->server)
		memcpy(hs->salt, unit, o->method->key_len);
	return begin(&o->aead, &o->nonce, o->method, key, unit);
}

/* Type, time, [echo of our salt], length: in the order in which a server may answer for them. */
static int open_head(struct ss_opener *o, const uint8_t *key, struct ss_handshake *hs, uint64_t now, uint8_t *unit)
{
	size_t salt_len = o->method->key_len, echo = o->server ? 0 : salt_len, len;
	bool users = o->server && hs->users;
	uint8_t *p = unit + salt_len + (users ? SS_IDENTITY_LEN : 0);
	int rc = open_salt(o, users ? find_key(hs, key, unit, salt_len) : key, hs, unit);

	if (!rc)
		rc = unbox(o, p, HEAD_LEN + echo + AEAD_TAG_LEN);
	if (!rc && users && !hs->user)
		rc = -EBADMSG;
	if (rc < 0)
		return rc;
	if (p[0] != (o->server ? TYPE_REQUEST : TYPE_RESPONSE))
		return -EPROTO;
	hs->timestamp = get64(p + 1);
	if (!ss_time_ok(now, hs->timestamp))
		return -ETIME;
	if (echo && sodium_memcmp(p + 9, hs->salt, echo))
		return -EPROTO;
	len = get16(p + 9 + echo);
	/* Never sent by us; sing-box's server does, and puts no box behind it. */
	if (!o->server && !len) {
		o->answer_due = o->asked;
		expect_length(o);
		return 0;
	}
	expect(o, o->server ? SS_UNIT_REQUEST : SS_UNIT_CHUNK, len + AEAD_TAG_LEN);
	return 0;
}

/* SIP022's variable header: address, padding, and payload if any. */
static int open_request(struct ss_opener *o, struct ss_handshake *hs, uint8_t *unit, struct ss_opened *out)
{
	size_t len = o->need - AEAD_TAG_LEN, padding;
	ssize_t n;

	if (unbox(o, unit, o->need) < 0)
		return -EBADMSG;
	n = ss_addr_decode(unit, len, &hs->target);
	if (n <= 0 || len - (size_t)n < 2)
		return -EPROTO;
	padding = get16(unit + n);
	len -= (size_t)n + 2;
	if (padding > len || (!padding && !len))
		return -EPROTO;
	hs->asks_connect = true_connect_has_mark(unit + n + 2, padding);
	out->data = unit + n + 2 + padding;
	out->len = len - padding;
	o->addressed = true;
	expect_length(o);
	return 0;
}

static int open_length(struct ss_opener *o, uint8_t *unit)
{
	size_t len;

	if (unbox(o, unit, o->need) < 0)
		return -EBADMSG;
	len = get16(unit);
	if (!len && o->answer_due) {
		o->answer_due = false;
		expect(o, SS_UNIT_ANSWER, TRUE_CONNECT_ANSWER_LEN + AEAD_TAG_LEN);
		return 0;
	}
	o->answer_due = false;
	if (!len || len > ss_chunk_max(o->method))
		return -EPROTO;
	expect(o, SS_UNIT_CHUNK, len + AEAD_TAG_LEN);
	return 0;
}

static int open_answer(struct ss_opener *o, uint8_t *unit)
{
	if (unbox(o, unit, o->need) < 0)
		return -EBADMSG;
	if (true_connect_read_answer(unit, &o->answer) < 0)
		return -EPROTO;
	o->answered = true;
	o->answer_due = o->answer == END_COUNT;
	expect_length(o);
	return 0;
}

/* SIP004's plaintext begins with the address; nothing keeps a client from
 * spreading it over chunks. What is left of the chunk is payload. */
static int take_address(struct ss_opener *o, struct ss_handshake *hs, struct ss_opened *out)
{
	size_t had = hs->addr_len, take = sizeof(hs->addr) - had;
	ssize_t n;

	if (take > out->len)
		take = out->len;
	memcpy(hs->addr + had, out->data, take);
	hs->addr_len = (uint16_t)(had + take);
	n = ss_addr_decode(hs->addr, hs->addr_len, &hs->target);
	if (n < 0)
		return -EPROTO;
	if (n > 0) {
		o->addressed = true;
		take = (size_t)n - had;
	}
	out->data += take;
	out->len -= take;
	return 0;
}

static int open_chunk(struct ss_opener *o, struct ss_handshake *hs, uint8_t *unit, struct ss_opened *out)
{
	if (unbox(o, unit, o->need) < 0)
		return -EBADMSG;
	out->data = unit;
	out->len = o->need - AEAD_TAG_LEN;
	expect_length(o);
	if (o->server && !o->addressed)
		return take_address(o, hs, out);
	return 0;
}

int ss_opener_next(struct ss_opener *o, const uint8_t *key, struct ss_handshake *hs, uint64_t now, uint8_t *unit,
		   struct ss_opened *out)
{
	int rc;

	out->data = unit;
	out->len = 0;
	switch ((enum ss_unit)o->unit) {
	case SS_UNIT_CHUNK:
		return open_chunk(o, hs, unit, out);
	case SS_UNIT_LENGTH:
		return open_length(o, unit);
	case SS_UNIT_ANSWER:
		return open_answer(o, unit);
	case SS_UNIT_REQUEST:
		return open_request(o, hs, unit, out);
	case SS_UNIT_HEAD:
		return open_head(o, key, hs, now, unit);
	case SS_UNIT_SALT:
		rc = open_salt(o, key, hs, unit);
		expect_length(o);
		return rc;
	}
	return -EPROTO;
}
