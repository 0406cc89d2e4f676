/*
 * The TCP stream's opener, both generations and roles, with and without users.
 * Random bytes would never pass a tag, so the target seals: the input is what
 * is inside the boxes, which is what a peer that knows the key can send. Now and
 * then a byte of the sealed unit is changed, and then the opener must refuse.
 */
#include "fuzz.h"

#include "base/bytes.h"
#include "crypto/kdf.h"
#include "proto/ss_stream.h"

#define UNIT_MAX (SS_SALT_MAX + SS_IDENTITY_LEN + 0x10000 + AEAD_TAG_LEN)

static const char *const methods[] = { "aes-256-gcm", "chacha20-ietf-poly1305", "2022-blake3-aes-128-gcm",
				       "2022-blake3-chacha20-poly1305" };
static const uint8_t key[SS_KEY_MAX] = "an old key that everybody knows", user_key[SS_KEY_MAX] = "and one of the user's own";

struct peer {
	const struct ss_method *method;
	const uint8_t *key; /* of what it seals */
	struct aead_key aead;
	uint64_t nonce;
};

static void seal(struct peer *p, const uint8_t *in, size_t len, uint8_t *out)
{
	uint8_t nonce[AEAD_NONCE_MAX] = { 0 };

	for (int i = 0; i < 8; i++)
		nonce[i] = (uint8_t)(p->nonce >> (8 * i));
	p->nonce++;
	aead_seal(&p->aead, nonce, in, len, out);
}

static void begin(struct peer *p, const uint8_t *salt)
{
	uint8_t subkey[SS_KEY_MAX];

	ss_subkey(p->method, p->key, salt, subkey);
	aead_key_init(&p->aead, aead_ops_for(p->method->tcp), subkey);
}

/* The unit that the opener waits for, with the input inside its box. */
static void make_unit(struct peer *p, const struct ss_opener *o, const struct ss_identity *id, struct input *in, uint8_t *unit)
{
	size_t salt = o->unit == SS_UNIT_SALT || o->unit == SS_UNIT_HEAD ? p->method->key_len : 0;
	size_t front = salt, box;
	uint8_t *plain;

	if (salt) {
		memset(unit, 0x55, salt);
		begin(p, unit);
		if (id) {
			ss_identity_put_tcp(id, unit, unit + salt);
			front += SS_IDENTITY_LEN;
		}
	}
	if (o->unit == SS_UNIT_SALT)
		return;
	box = o->need - front - AEAD_TAG_LEN;
	plain = input_block(in, box);
	seal(p, plain, box, unit + front);
	free(plain);
}

/* Opens units until the input is used up. */
static void run(struct input *in, struct ss_opener *o, struct ss_handshake *hs, struct peer *p, const struct ss_identity *id)
{
	uint8_t tamper = input_byte(in);
	uint64_t now = 1700000000;
	struct ss_opened opened;

	for (int n = 0; n < 40 && in->left; n++) {
		size_t need = o->need;
		uint8_t *unit = malloc(need);
		int changed = tamper && n == tamper % 8 && o->unit != SS_UNIT_SALT, rc;

		must(unit != NULL && need > 0 && need <= UNIT_MAX);
		make_unit(p, o, id, in, unit);
		if (changed)
			unit[(tamper * 37u) % need] ^= (uint8_t)(1u << tamper % 8);
		rc = ss_opener_next(o, key, hs, now, unit, &opened);
		must(!changed || rc < 0);
		if (!rc)
			must(opened.data >= unit && opened.data + opened.len <= unit + need && o->need > 0);
		free(unit);
		if (rc)
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t choice = input_byte(&in);
	const struct ss_method *m = ss_method_find(methods[choice % 4]);
	int server = !(choice & 4), with_users = server && (choice & 8) && ss_identity_supported(m);
	struct ss_handshake hs = { 0 };
	struct peer p = { .method = m, .key = with_users ? user_key : key };
	struct ss_identity *id = NULL;
	struct ss_users *users = NULL;
	struct ss_opener o;

	ss_opener_init(&o, m, server);
	o.asked = choice & 16;
	if (with_users) {
		users = ss_users_new(m, key);
		must(users && ss_users_add(users, "u", user_key) == 0);
		id = ss_identity_new(m, (const uint8_t (*)[SS_KEY_MAX])key, 1, user_key);
		ss_opener_use_users(&o, &hs, users);
	}
	run(&in, &o, &hs, &p, id);
	ss_opener_wipe(&o);
	aead_key_wipe(&p.aead);
	ss_identity_free(id);
	ss_users_free(users);
	return 0;
}
