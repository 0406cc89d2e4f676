/* Known answers from tests/vectors/NAME: lines of "what = hex". */
#ifndef GATUN_TESTS_VECTORS_H
#define GATUN_TESTS_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline size_t unhex(const char *hex, uint8_t *out, size_t size)
{
	size_t n = 0;
	unsigned byte;

	for (; sscanf(hex, "%2x", &byte) == 1 && n < size; hex += 2)
		out[n++] = (uint8_t)byte;
	return n;
}

/* Fails the test if there is no such line. */
static inline size_t vector(const char *file, const char *what, uint8_t *out, size_t size)
{
	char path[512], line[4096];
	size_t len = strlen(what), n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/vectors/%s", TEST_DATA, file);
	f = fopen(path, "r");
	assert_non_null(f);
	while (!n && fgets(line, sizeof(line), f))
		if (!strncmp(line, what, len) && !strncmp(line + len, " = ", 3))
			n = unhex(line + len + 3, out, size);
	fclose(f);
	if (!n)
		fail_msg("no vector \"%s\" in %s", what, path);
	return n;
}

/* first, first + 1, ... */
static inline void count_up(uint8_t *out, uint8_t first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(first + i);
}

#endif
