/*
 * SIP022's salts of the last while, exactly: no false positive, nothing forgotten
 * early. Time is handed in. Salts enter only after the header they came with
 * was authenticated, so nobody without the key can fill it. A shared store is
 * one for a process and all that it forks: a salt is new once among all of them,
 * and what they know outlives each of them, killed in whatever moment.
 */
#ifndef GATUN_CRYPTO_SALT_STORE_H
#define GATUN_CRYPTO_SALT_STORE_H

#include <stddef.h>
#include <stdint.h>

struct salt_store;

/* keep_ms: how long a salt is remembered (SIP022: 60,000). max: entries held at
 * most, 48 bytes each; their memory is taken up as they come. NULL: no memory. */
struct salt_store *salt_store_new(uint64_t keep_ms, size_t max);
/* Made before the fork. Its times are of a clock that all processes have. */
struct salt_store *salt_store_new_shared(uint64_t keep_ms, size_t max);
/* Of a shared store this gives back the process's own view alone. */
void salt_store_free(struct salt_store *s);

/* 0: it was new and is remembered. -EEXIST: it was seen. -ENOSPC: full of salts
 * that are too young to forget (or no memory): the caller must refuse. len <= 32. */
int salt_store_insert(struct salt_store *s, const uint8_t *salt, size_t len, uint64_t now_ms);
/* Forgets what is over age (insert does so too). */
void salt_store_expire(struct salt_store *s, uint64_t now_ms);
size_t salt_store_count(const struct salt_store *s);

#endif
