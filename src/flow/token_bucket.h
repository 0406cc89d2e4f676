/*
 * A token bucket in milliseconds: fills at `rate` a second up to `depth`, and may
 * be drawn below zero, which time pays back. Time is handed in. A rate of 0 is
 * no limit: the bucket is always full.
 */
#ifndef GATUN_FLOW_TOKEN_BUCKET_H
#define GATUN_FLOW_TOKEN_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct token_bucket {
	int64_t level; /* thousandths */
	uint64_t at_ms;
	uint64_t depth;
	uint32_t rate;
};

/* More elapsed time than fills any bucket of a depth below 2^32; keeps the product in range. */
#define TOKEN_BUCKET_LONG_MS (1ull << 30)

static inline void token_bucket_fill(struct token_bucket *b, uint64_t now_ms)
{
	uint64_t elapsed = now_ms > b->at_ms ? now_ms - b->at_ms : 0;
	int64_t top = (int64_t)b->depth * 1000;

	if (elapsed > TOKEN_BUCKET_LONG_MS)
		elapsed = TOKEN_BUCKET_LONG_MS;
	b->at_ms = now_ms;
	b->level += (int64_t)(elapsed * b->rate);
	if (b->level > top || !b->rate)
		b->level = top;
}

/* Another rate, or the first (of a zeroed bucket, which is full then). What was drawn stays drawn. */
static inline void token_bucket_set(struct token_bucket *b, uint32_t rate, uint64_t depth, uint64_t now_ms)
{
	int64_t drawn;

	token_bucket_fill(b, now_ms);
	drawn = (int64_t)b->depth * 1000 - b->level;
	b->rate = rate;
	b->depth = depth;
	b->level = (int64_t)depth * 1000 - drawn;
}

/* Whole tokens; 0 or less: there are none. Without a limit: more than anybody asks for. */
static inline int64_t token_bucket_level(struct token_bucket *b, uint64_t now_ms)
{
	token_bucket_fill(b, now_ms);
	return b->rate ? b->level / 1000 : INT64_MAX;
}

static inline bool token_bucket_full(struct token_bucket *b, uint64_t now_ms)
{
	token_bucket_fill(b, now_ms);
	return b->level >= (int64_t)b->depth * 1000;
}

static inline void token_bucket_take(struct token_bucket *b, uint64_t n)
{
	if (b->rate)
		b->level -= (int64_t)(n * 1000);
}

#endif
