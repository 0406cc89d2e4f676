/*
 * What the fuzz targets share: taking an input apart. A target never reads past
 * what it was given, and hands the parsers exact copies on the heap, so that
 * AddressSanitizer sees one byte too many.
 */
#ifndef GATUN_TESTS_FUZZ_H
#define GATUN_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t input_byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static inline uint16_t input_word(struct input *in)
{
	uint16_t high = input_byte(in);

	return (uint16_t)(high << 8 | input_byte(in));
}

/* Copies n bytes; what is missing is zero. */
static inline void input_copy(struct input *in, void *out, size_t n)
{
	size_t have = n < in->left ? n : in->left;

	memset(out, 0, n);
	if (have)
		memcpy(out, in->at, have);
	in->at += have;
	in->left -= have;
}

/* The rest, or n bytes of it, as a block of its own; free() it. Never NULL. */
static inline uint8_t *input_block(struct input *in, size_t n)
{
	uint8_t *block = malloc(n ? n : 1);

	if (!block)
		abort();
	input_copy(in, block, n);
	return block;
}

/* For what must hold, whatever the input was. */
static inline void must(int holds)
{
	if (!holds)
		abort();
}

#endif
