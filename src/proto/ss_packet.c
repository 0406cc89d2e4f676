/*
 * UDP datagrams of both generations. Three shapes share one skeleton: a clear
 * or ECB-sealed front, one AEAD box to the end of the datagram.
 *
 *	shape     front                       box key                  box nonce
 *	SALTED    salt                        HKDF(master, salt)       0
 *	SESSION   ECB(session id, packet id)  derive(PSK, session id)  bytes 4..15 of the clear front
 *	NONCED    24 random bytes             PSK                      the front
 *
 * With identities (SIP023) a SESSION's front towards the server is longer by 16
 * each; it is sealed with the first identity's key and the box with the user's,
 * who gets replies under his own key alone.
 *
 * The body of the box is [ids, NONCED only] [type ts [client id] padlen padding,
 * not SALTED] address payload. Nothing inside is read before its length was
 * checked, and nothing of the caller's changes before the box was opened.
 */
#include "proto/ss_packet.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/kdf.h"
#include "crypto/random.h"
#include "proto/ss_addr.h"

#define LANES_WORTH 4	/* fewer keys are derived faster one by one */
#define IDS_LEN 16	/* session id, packet id */
#define XNONCE_LEN 24
#define HEAD_C2S 11	/* type, timestamp, padding length */
#define HEAD_S2C 19	/* and the client's session id */

enum { TYPE_C2S = 0, TYPE_S2C = 1 };

enum shape { SALTED, SESSION, NONCED };

static inline enum shape shape_of(const struct ss_packet_codec *c)
{
	if (!c->method->sip022)
		return SALTED;
	return c->method->udp == AEAD_XCHACHA20_POLY1305 ? NONCED : SESSION;
}

/* ---- codec and sessions ---- */

int ss_packet_codec_init(struct ss_packet_codec *c, const struct ss_method *m, enum ss_role role, const uint8_t *key)
{
	memset(c, 0, sizeof(*c));
	c->method = m;
	c->ops = aead_ops_for(m->udp);
	c->role = role;
	if (!c->ops)
		return -ENOTSUP;
	memcpy(c->key, key, m->key_len);
	if (shape_of(c) == SESSION)
		aes_block_init(&c->header, key, m->key_len);
	if (shape_of(c) == NONCED)
		aead_key_init(&c->psk, c->ops, key);
	return 0;
}

void ss_packet_codec_set_identity(struct ss_packet_codec *c, const struct ss_identity *identity)
{
	assert(shape_of(c) == SESSION && c->role == SS_CLIENT);
	c->identity = identity;
	c->identity_len = (uint16_t)ss_identity_len(identity);
}

void ss_packet_codec_set_users(struct ss_packet_codec *c, const struct ss_users *users)
{
	assert(shape_of(c) == SESSION && c->role == SS_SERVER);
	c->users = users;
	c->identity_len = SS_IDENTITY_LEN;
}

void ss_packet_codec_wipe(struct ss_packet_codec *c)
{
	aead_key_wipe(&c->psk);
	aes_block_wipe(&c->header);
	sodium_memzero(&c->fresh, sizeof(c->fresh));
	sodium_memzero(&c->expected, sizeof(c->expected));
	sodium_memzero(c->key, sizeof(c->key));
}

void ss_packet_session_init(const struct ss_packet_codec *c, struct ss_packet_session *s, uint64_t id)
{
	ss_packet_session_init_for(c, s, id, NULL);
}

void ss_packet_session_init_for(const struct ss_packet_codec *c, struct ss_packet_session *s, uint64_t id,
				const struct ss_user *user)
{
	uint8_t subkey[SS_KEY_MAX], wire_id[8];

	memset(s, 0, sizeof(*s));
	s->id = id;
	s->next_packet_id = 1;
	s->user = user;
	if (shape_of(c) != SESSION)
		return;
	put64(wire_id, id);
	kdf_session_subkey(user ? user->key : c->key, c->method->key_len, wire_id, sizeof(wire_id), subkey);
	aead_key_init(&s->aead, c->ops, subkey);
	sodium_memzero(subkey, sizeof(subkey));
}

void ss_packet_session_wipe(struct ss_packet_session *s)
{
	aead_key_wipe(&s->aead);
}

/* ---- SIP004 keys, many at once ---- */

static void derive_keys(const struct ss_packet_codec *c, struct ss_packet_keys *k, int n)
{
	kdf_ss_subkey_lanes(c->key, (const uint8_t (*)[SS_SALT_MAX])k->salts, c->method->key_len, k->keys);
	k->next = 0;
	k->n = n;
}

static void take_key(struct ss_packet_keys *k, uint8_t *key)
{
	memcpy(key, k->keys[k->next], SS_KEY_MAX);
	sodium_memzero(k->keys[k->next], SS_KEY_MAX);
	k->next++;
}

/* A salt that was never used, and its key. */
static void take_fresh(struct ss_packet_codec *c, uint8_t *salt, uint8_t *key)
{
	struct ss_packet_keys *k = &c->fresh;

	if (k->next == k->n) {
		random_bytes(k->salts, sizeof(k->salts));
		derive_keys(c, k, KDF_LANES);
	}
	memcpy(salt, k->salts[k->next], c->method->key_len);
	take_key(k, key);
}

static void key_for_salt(struct ss_packet_codec *c, const uint8_t *salt, uint8_t *key)
{
	struct ss_packet_keys *k = &c->expected;

	if (k->next < k->n && memcmp(k->salts[k->next], salt, c->method->key_len) == 0) {
		take_key(k, key);
		return;
	}
	k->n = k->next = 0;
	kdf_ss_subkey(c->key, salt, c->method->key_len, key);
}

int ss_packet_wants_next(const struct ss_packet_codec *c)
{
	return shape_of(c) == SALTED && c->expected.next == c->expected.n && kdf_lanes_ready() ? KDF_LANES : 0;
}

void ss_packet_expect(struct ss_packet_codec *c, const uint8_t *const *datagrams, int n)
{
	if (n < LANES_WORTH || n > KDF_LANES)
		return;
	for (int i = 0; i < n; i++)
		memcpy(c->expected.salts[i], datagrams[i], c->method->key_len);
	derive_keys(c, &c->expected, n);
}

/* ---- sealing ---- */

static size_t front_len(const struct ss_packet_codec *c, bool to_server)
{
	switch (shape_of(c)) {
	case SALTED:
		return c->method->key_len;
	case SESSION:
		return IDS_LEN + (to_server ? c->identity_len : 0u);
	default:
		return XNONCE_LEN;
	}
}

/* Bytes of the box before the address, without padding. */
static size_t head_len(const struct ss_packet_codec *c, bool to_server)
{
	size_t ids = shape_of(c) == NONCED ? IDS_LEN : 0;

	if (shape_of(c) == SALTED)
		return 0;
	return ids + (to_server ? HEAD_C2S : HEAD_S2C);
}

static size_t padding_of(const struct ss_packet_codec *c, const struct ss_packet_out *o)
{
	return c->method->sip022 ? o->padding : 0;
}

size_t ss_packet_payload_offset(const struct ss_packet_codec *c, const struct ss_packet_out *o)
{
	return front_len(c, c->role == SS_CLIENT) + head_len(c, c->role == SS_CLIENT) + padding_of(c, o) + ss_addr_len(o->remote);
}

static uint8_t *put_ids(uint8_t *p, const struct ss_packet_session *s)
{
	put64(p, s->id);
	put64(p + 8, s->next_packet_id);
	return p + IDS_LEN;
}

static uint8_t *put_head(const struct ss_packet_codec *c, const struct ss_packet_out *o, uint8_t *p)
{
	*p++ = c->role == SS_CLIENT ? TYPE_C2S : TYPE_S2C;
	put64(p, o->now);
	p += 8;
	if (c->role == SS_SERVER) {
		put64(p, o->client_session_id);
		p += 8;
	}
	put16(p, o->padding);
	memset(p + 2, 0, o->padding);
	return p + 2 + o->padding;
}

static void put_front_random(const struct ss_packet_out *o, uint8_t *out, size_t len)
{
	if (o->random)
		memcpy(out, o->random, len);
	else
		random_bytes(out, len);
}

static void seal_salted(struct ss_packet_codec *c, const struct ss_packet_out *o, uint8_t *out, size_t body_len)
{
	static const uint8_t zero[AEAD_NONCE_MAX];
	size_t front = c->method->key_len;
	uint8_t subkey[SS_KEY_MAX];

	if (o->random || !kdf_lanes_ready()) {
		put_front_random(o, out, front);
		kdf_ss_subkey(c->key, out, front, subkey);
	} else {
		take_fresh(c, out, subkey);
	}
	aead_seal_once(c->ops, subkey, zero, out + front, body_len, out + front);
	sodium_memzero(subkey, sizeof(subkey));
}

/* The ids are the nonce until the box is sealed; then they are hidden too. */
static void seal_session(struct ss_packet_codec *c, struct ss_packet_session *s, uint8_t *out, size_t front, size_t body_len)
{
	const struct aes_block *hide = s->user ? &s->user->header : &c->header;

	aead_seal(&s->aead, out + 4, out + front, body_len, out + front);
	if (c->identity) {
		ss_identity_put_udp(c->identity, out, out + IDS_LEN);
		hide = &c->identity->blocks[0];
	}
	aes_block_encrypt(hide, out, out);
}

/* Writes everything before the address. */
static uint8_t *put_preamble(const struct ss_packet_codec *c, const struct ss_packet_session *s, const struct ss_packet_out *o,
			     uint8_t *out)
{
	size_t front = front_len(c, c->role == SS_CLIENT);
	uint8_t *p = out + front;

	if (shape_of(c) == SALTED)
		return p; /* the salt comes with its key */
	if (shape_of(c) == SESSION) {
		put_ids(out, s);
	} else {
		put_front_random(o, out, front);
		p = put_ids(p, s);
	}
	return put_head(c, o, p);
}

ssize_t ss_packet_seal(struct ss_packet_codec *c, struct ss_packet_session *s, const struct ss_packet_out *o,
		       const uint8_t *payload, size_t len, uint8_t *out, size_t out_size)
{
	size_t front = front_len(c, c->role == SS_CLIENT), offset = ss_packet_payload_offset(c, o), body = offset - front + len;
	uint8_t *p;

	if (len > out_size || offset + len + AEAD_TAG_LEN > out_size)
		return -EMSGSIZE;
	if (c->method->sip022 && s->next_packet_id == UINT64_MAX)
		return -EOVERFLOW;
	if (len && payload != out + offset)
		memmove(out + offset, payload, len);
	p = put_preamble(c, s, o, out);
	ss_addr_encode(o->remote, p);
	if (shape_of(c) == SALTED)
		seal_salted(c, o, out, body);
	else if (shape_of(c) == SESSION)
		seal_session(c, s, out, front, body);
	else
		aead_seal(&c->psk, out, out + front, body, out + front);
	if (c->method->sip022)
		s->next_packet_id++;
	return (ssize_t)(front + body + AEAD_TAG_LEN);
}

/* ---- opening ---- */

static void read_ids(const uint8_t *p, struct ss_packet *out)
{
	out->session_id = get64(p);
	out->packet_id = get64(p + 8);
}

int ss_packet_identify(struct ss_packet_codec *c, uint8_t *data, size_t len, struct ss_packet *p)
{
	size_t front = front_len(c, c->role == SS_SERVER);
	uint8_t clear[IDS_LEN];

	p->session_id = p->packet_id = p->client_session_id = p->timestamp = 0;
	p->salt = NULL;
	p->user = NULL;
	p->body = data + front;
	if (len < front + head_len(c, c->role == SS_SERVER) + AEAD_TAG_LEN)
		return -EPROTO;
	switch (shape_of(c)) {
	case SALTED:
		p->salt = data;
		return 0;
	case SESSION:
		aes_block_decrypt(&c->header, data, clear);
		read_ids(clear, p);
		if (c->users)
			p->user = ss_users_find_udp(c->users, clear, data + IDS_LEN);
		return c->users && !p->user ? -EBADMSG : 0;
	default:
		if (aead_open(&c->psk, data, data + front, len - front, data + front) < 0)
			return -EBADMSG;
		read_ids(p->body, p);
		p->body += IDS_LEN;
		return 0;
	}
}

void ss_packet_unidentify(struct ss_packet_codec *c, uint8_t *data, size_t len)
{
	size_t front = front_len(c, c->role == SS_SERVER);

	/* The same nonce over the same text gives the same bytes, tag included. */
	if (shape_of(c) == NONCED)
		aead_seal(&c->psk, data, data + front, len - front - AEAD_TAG_LEN, data + front);
}

static int open_box(struct ss_packet_codec *c, struct ss_packet_session *s, uint8_t *data, size_t len, const struct ss_packet *p)
{
	static const uint8_t zero[AEAD_NONCE_MAX];
	uint8_t key_or_front[SS_KEY_MAX];
	int rc;

	if (shape_of(c) == SALTED) {
		key_for_salt(c, data, key_or_front);
		rc = aead_open_once(c->ops, key_or_front, zero, p->body, len, p->body);
		sodium_memzero(key_or_front, sizeof(key_or_front));
		return rc;
	}
	put64(key_or_front, p->session_id);
	put64(key_or_front + 8, p->packet_id);
	return aead_open(&s->aead, key_or_front + 4, p->body, len, p->body);
}

/* Reads type, time, session echo and padding. Returns bytes, or -errno. */
static ssize_t parse_head(const struct ss_packet_codec *c, const uint8_t *b, size_t len, uint64_t now, struct ss_packet *p)
{
	bool from_client = c->role == SS_SERVER;
	size_t head = from_client ? HEAD_C2S : HEAD_S2C, padding;

	if (len < head || b[0] != (from_client ? TYPE_C2S : TYPE_S2C))
		return -EPROTO;
	p->timestamp = get64(b + 1);
	if (!ss_time_ok(now, p->timestamp))
		return -ETIME;
	if (!from_client)
		p->client_session_id = get64(b + 9);
	padding = get16(b + head - 2);
	if (len - head < padding)
		return -EPROTO;
	return (ssize_t)(head + padding);
}

/* The opened body, from head to payload. */
static int parse_body(const struct ss_packet_codec *c, uint64_t now, size_t len, struct ss_packet *p)
{
	uint8_t *b = p->body;
	ssize_t n = 0;

	if (c->method->sip022) {
		n = parse_head(c, b, len, now, p);
		if (n < 0)
			return (int)n;
		b += n;
		len -= (size_t)n;
	}
	n = ss_addr_decode(b, len, &p->remote);
	if (n <= 0)
		return -EPROTO;
	p->payload = b + n;
	p->len = len - (size_t)n;
	return 0;
}

int ss_packet_open(struct ss_packet_codec *c, struct ss_packet_session *s, uint64_t now, uint8_t *data, size_t len,
		   struct ss_packet *p)
{
	size_t box = len - (size_t)(p->body - data);
	int rc;

	if (shape_of(c) != NONCED) {
		rc = open_box(c, s, data, box, p);
		if (rc < 0)
			return rc;
	}
	return parse_body(c, now, box - AEAD_TAG_LEN, p);
}
