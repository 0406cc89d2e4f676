/*
 * UDP datagrams, all three shapes, both roles. In one half of the inputs the
 * datagram is taken as it is; in the other the input is the body of the box,
 * sealed with the right key: what a peer that knows it can send.
 */
#include "fuzz.h"

#include "base/bytes.h"
#include "crypto/kdf.h"
#include "proto/ss_packet.h"

#define NOW 1700000000u

static const char *const methods[] = { "aes-128-gcm", "2022-blake3-aes-256-gcm", "2022-blake3-chacha20-poly1305",
				       "chacha20-ietf-poly1305" };
static const uint8_t key[SS_KEY_MAX] = "an old key that everybody knows";

/* Seals `len` bytes of body that stand at data + front, as the shape wants. */
static void seal_body(const struct ss_method *m, uint8_t *data, size_t front, size_t len)
{
	static const uint8_t zero[AEAD_NONCE_MAX];
	const struct aead_ops *ops = aead_ops_for(m->udp);
	struct aes_block block;
	uint8_t subkey[SS_KEY_MAX];

	if (!m->sip022) {
		ss_subkey(m, key, data, subkey);
		aead_seal_once(ops, subkey, zero, data + front, len, data + front);
	} else if (m->udp == AEAD_XCHACHA20_POLY1305) {
		aead_seal_once(ops, key, data, data + front, len, data + front);
	} else {
		kdf_session_subkey(key, m->key_len, data, 8, subkey);
		aead_seal_once(ops, subkey, data + 4, data + front, len, data + front);
		aes_block_init(&block, key, m->key_len);
		aes_block_encrypt(&block, data, data);
		aes_block_wipe(&block);
	}
}

static void open_one(struct ss_packet_codec *c, uint8_t *data, size_t len)
{
	struct ss_packet_session session;
	struct ss_packet p;

	if (ss_packet_identify(c, data, len, &p) < 0)
		return;
	ss_packet_session_init(c, &session, p.session_id);
	if (ss_packet_open(c, &session, NOW, data, len, &p) == 0)
		must(p.payload >= data && p.payload + p.len <= data + len - (c->method->sip022 ? AEAD_TAG_LEN : 0));
	ss_packet_session_wipe(&session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t choice = input_byte(&in);
	const struct ss_method *m = ss_method_find(methods[choice % 4]);
	size_t front = !m->sip022 ? m->key_len : m->udp == AEAD_XCHACHA20_POLY1305 ? 24 : 16;
	int sealed = choice & 4, grows = sealed && in.left >= front;
	size_t body = grows ? in.left - front : 0, len = in.left + (grows ? AEAD_TAG_LEN : 0);
	uint8_t *datagram = input_block(&in, len);
	struct ss_packet_codec c;

	must(ss_packet_codec_init(&c, m, choice & 8 ? SS_CLIENT : SS_SERVER, key) == 0);
	if (grows)
		seal_body(m, datagram, front, body);
	open_one(&c, datagram, len);
	ss_packet_codec_wipe(&c);
	free(datagram);
	return 0;
}
