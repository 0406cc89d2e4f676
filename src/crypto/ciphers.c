/* The table of `gatun ciphers`: what was chosen, and how fast it is here. */
#include "crypto/ciphers.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

#include "crypto/aead.h"

#define SMALL 1400
#define LARGE 16384
#define BENCH_NS 20000000ull

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* Seals in place for BENCH_NS; bytes per nanosecond are GB/s. */
static double measure(const struct aead_ops *ops, size_t len)
{
	static uint8_t buf[LARGE + AEAD_TAG_LEN];
	uint8_t key[SS_KEY_MAX] = { 1 }, nonce[AEAD_NONCE_MAX] = { 0 };
	uint64_t start, spent, bytes = 0;
	struct aead_key k;

	memset(buf, 0, sizeof(buf));
	aead_key_init(&k, ops, key);
	start = now_ns();
	do {
		for (int i = 0; i < 64; i++) {
			nonce[0]++;
			aead_seal(&k, nonce, buf, len, buf);
		}
		bytes += 64 * len;
		spent = now_ns() - start;
	} while (spent < BENCH_NS);
	aead_key_wipe(&k);
	return (double)bytes / (double)spent;
}

static const char *backend_of(enum aead_kind kind)
{
	const struct aead_ops *ops = aead_ops_for(kind);

	return ops ? ops->backend : "none";
}

bool crypto_cipher_at(int i, bool bench, struct cipher_info *out)
{
	const struct ss_method *m = ss_method_at(i);
	const struct aead_ops *ops;

	if (!m)
		return false;
	memset(out, 0, sizeof(*out));
	out->method = m;
	out->backend = backend_of(m->tcp);
	out->udp_backend = backend_of(m->udp);
	ops = aead_ops_for(m->tcp);
	if (bench && ops) {
		out->small_gbps = measure(ops, SMALL);
		out->large_gbps = measure(ops, LARGE);
	}
	return true;
}
