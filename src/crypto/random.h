/* Random bytes, drawn from the kernel in batches, so that a salt costs no
 * system call. Bytes handed out are erased; fork() discards the batch. */
#ifndef GATUN_CRYPTO_RANDOM_H
#define GATUN_CRYPTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t len);
uint64_t random_u64(void);
/* 0 .. bound-1, unbiased; bound > 0. */
uint32_t random_below(uint32_t bound);

#endif
