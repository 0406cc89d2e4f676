/*
 * Choosing AEAD back-ends, testing them, and the cache of key schedules.
 *
 * The cache is a list of slots in order of use. A slot belongs to at most one
 * key, and the two point at each other; whoever takes a slot away clears the
 * other's pointer, so a key can always tell whether its schedule still stands.
 * Slots come one by one up to SLOTS_MAX, then the one unused for longest is
 * taken over. The first slot is static: there is always one to take, so
 * sealing cannot fail.
 *
 * It refuses to know what the keys are for.
 */
#include "crypto/aead.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "crypto/aead_backends.h"

#define SLOTS_MAX 512

struct aead_slot {
	_Alignas(64) uint8_t ctx[AEAD_CTX_MAX];
	struct list node; /* lru: unowned and oldest first */
	struct aead_key *owner;
	const struct aead_ops *ops; /* whose context it holds; NULL: zeroed */
	bool used;		    /* since the last trim */
};

/* ---- self-test ---- */

#define TEST_LEN 601 /* many blocks, an odd rest: every path of the bulk code */

/* The tag of the self-test's message. Made by libcrypto (XChaCha20: libsodium) and agreed on by ipsec-mb. */
static const uint8_t known_tags[AEAD_KINDS][AEAD_TAG_LEN] = {
	[AEAD_AES_128_GCM] = { 0xcf, 0xf8, 0x08, 0xc0, 0x52, 0x41, 0x0c, 0xea, 0x19, 0xf6, 0x13, 0xc0, 0x8c, 0x0d, 0xb9, 0xb5 },
	[AEAD_AES_192_GCM] = { 0x02, 0x54, 0x18, 0x85, 0x2f, 0x0a, 0x74, 0x02, 0x18, 0x4a, 0x4b, 0x3f, 0xed, 0x6f, 0x7f, 0xc4 },
	[AEAD_AES_256_GCM] = { 0x30, 0x3b, 0xaf, 0x42, 0x9e, 0x40, 0x53, 0xa0, 0x61, 0x0c, 0x06, 0xc0, 0x84, 0xf6, 0x43, 0x2c },
	[AEAD_CHACHA20_POLY1305] = { 0xe1, 0x40, 0x94, 0xd6, 0xe5, 0x5b, 0x58, 0x45, 0x8d, 0x15, 0xeb, 0x5c, 0x35, 0x09, 0xb4, 0x4c },
	[AEAD_XCHACHA20_POLY1305] = { 0xb6, 0x99, 0x70, 0x2f, 0x97, 0x1a, 0xed, 0x25, 0x1a, 0x15, 0x0b, 0xd6, 0x4d, 0x07, 0x47, 0x86 },
};

static void test_message(uint8_t key[32], uint8_t nonce[24], uint8_t message[TEST_LEN])
{
	for (int i = 0; i < 32; i++)
		key[i] = (uint8_t)i;
	for (int i = 0; i < 24; i++)
		nonce[i] = (uint8_t)(0x40 + i);
	for (int i = 0; i < TEST_LEN; i++)
		message[i] = (uint8_t)(i * 7);
}

/* Seals, compares the tag, opens in place, and has a forgery refused. */
static bool run_self_test(const struct aead_ops *ops, void *ctx)
{
	uint8_t key[32], nonce[24], plain[TEST_LEN], box[TEST_LEN + AEAD_TAG_LEN];

	test_message(key, nonce, plain);
	ops->init(ctx, key);
	memcpy(box, plain, TEST_LEN);
	ops->seal(ctx, nonce, box, TEST_LEN, box);
	if (memcmp(box + TEST_LEN, known_tags[ops->kind], AEAD_TAG_LEN))
		return false;
	if (ops->open(ctx, nonce, box, sizeof(box), box) < 0 || memcmp(box, plain, TEST_LEN))
		return false;
	ops->seal(ctx, nonce, plain, TEST_LEN, box);
	box[TEST_LEN / 2] ^= 1;
	return ops->open(ctx, nonce, box, sizeof(box), box) == -EBADMSG;
}

bool aead_self_test(const struct aead_ops *ops)
{
	static _Alignas(64) uint8_t ctx[AEAD_CTX_MAX];
	bool ok;

	assert(ops->ctx_size <= AEAD_CTX_MAX);
	memset(ctx, 0, sizeof(ctx));
	ok = run_self_test(ops, ctx);
	ops->wipe(ctx);
	return ok;
}

/* ---- choice ---- */

const struct aead_ops *aead_backend_at(enum aead_kind kind, int i)
{
	bool prefer = aead_ipsec_mb_prefers(kind);
	const struct aead_ops *order[] = { prefer ? aead_ipsec_mb(kind) : NULL, aead_openssl(kind),
					   prefer ? NULL : aead_ipsec_mb(kind), aead_sodium(kind) };

	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++)
		if (order[k] && i-- == 0)
			return order[k];
	return NULL;
}

const struct aead_ops *aead_ops_for(enum aead_kind kind)
{
	static const struct aead_ops *chosen[AEAD_KINDS];
	const struct aead_ops *ops;

	for (int i = 0; !chosen[kind] && (ops = aead_backend_at(kind, i)); i++)
		if (aead_self_test(ops))
			chosen[kind] = ops;
	return chosen[kind];
}

void aead_xchacha_subkey(const uint8_t key[32], const uint8_t nonce[24], uint8_t subkey[32], uint8_t nonce12[12])
{
	crypto_core_hchacha20(subkey, nonce, key, NULL);
	memset(nonce12, 0, 4);
	memcpy(nonce12 + 4, nonce + 16, 8);
}

/* ---- slots ---- */

static struct list lru = { &lru, &lru };
static struct aead_slot first_slot, once_slot;
static size_t slots; /* in lru */

/* Erases what the slot holds and parts it from its key. */
static void slot_clear(struct aead_slot *s)
{
	if (s->owner)
		s->owner->slot = NULL;
	s->owner = NULL;
	if (s->ops)
		s->ops->wipe(s->ctx);
	s->ops = NULL;
}

static struct aead_slot *slot_new(void)
{
	struct aead_slot *s = slots ? aligned_alloc(64, sizeof(*s)) : &first_slot;

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	list_append(&lru, &s->node);
	slots++;
	return s;
}

static struct aead_slot *slot_pick(void)
{
	struct aead_slot *s = slots ? container_of(lru.next, struct aead_slot, node) : NULL;

	if ((!s || s->owner) && slots < SLOTS_MAX) {
		struct aead_slot *fresh = slot_new();

		s = fresh ? fresh : s;
	}
	return s;
}

/* A context may be re-keyed by the same ops without wiping in between. */
static void slot_expand(struct aead_slot *s, const struct aead_ops *ops, const uint8_t *key)
{
	if (s->ops && s->ops != ops) {
		s->ops->wipe(s->ctx);
		memset(s->ctx, 0, sizeof(s->ctx));
	}
	s->ops = ops;
	ops->init(s->ctx, key);
}

static void *context_of(struct aead_key *k)
{
	struct aead_slot *s = k->slot;

	if (!s) {
		s = slot_pick();
		if (s->owner)
			s->owner->slot = NULL;
		slot_expand(s, k->ops, k->key);
		s->owner = k;
		k->slot = s;
	}
	s->used = true;
	if (lru.prev != &s->node)
		list_move_last(&lru, &s->node);
	return s->ctx;
}

void aead_cache_trim(void)
{
	list_for_each_safe(it, &lru) {
		struct aead_slot *s = container_of(it, struct aead_slot, node);

		if (!s->used && s != &first_slot) {
			slot_clear(s);
			list_remove(&s->node);
			slots--;
			free(s);
			continue;
		}
		s->used = false;
	}
}

size_t aead_cache_count(void)
{
	return slots;
}

/* ---- keys ---- */

void aead_key_init(struct aead_key *k, const struct aead_ops *ops, const uint8_t *key)
{
	k->ops = ops;
	k->slot = NULL;
	memcpy(k->key, key, ops->key_len);
}

void aead_key_wipe(struct aead_key *k)
{
	struct aead_slot *s = k->slot;

	if (s) {
		slot_clear(s);
		list_remove(&s->node);
		list_prepend(&lru, &s->node);
	}
	sodium_memzero(k->key, sizeof(k->key));
}

void aead_seal(struct aead_key *k, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	k->ops->seal(context_of(k), nonce, in, len, out);
}

int aead_open(struct aead_key *k, const uint8_t *nonce, const uint8_t *in, size_t len, uint8_t *out)
{
	return k->ops->open(context_of(k), nonce, in, len, out);
}

void aead_seal_once(const struct aead_ops *ops, const uint8_t *key, const uint8_t *nonce, const uint8_t *in, size_t len,
		    uint8_t *out)
{
	slot_expand(&once_slot, ops, key);
	ops->seal(once_slot.ctx, nonce, in, len, out);
}

int aead_open_once(const struct aead_ops *ops, const uint8_t *key, const uint8_t *nonce, const uint8_t *in, size_t len,
		   uint8_t *out)
{
	slot_expand(&once_slot, ops, key);
	return ops->open(once_slot.ctx, nonce, in, len, out);
}
