/* Edit distance in three rows (optimal string alignment); words beyond 63
 * bytes are near to nothing, which bounds the work for hostile input. */
#include "conf/nearest.h"

#include <limits.h>
#include <string.h>

#define WORD_MAX 63

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

unsigned nearest_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];

	if (n > WORD_MAX || m > WORD_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= m; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		unsigned *spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[m];
}

void nearest_offer(struct nearest *n, const char *candidate)
{
	unsigned limit = (unsigned)(strnlen(n->word, WORD_MAX) / 3);
	unsigned distance = nearest_distance(n->word, candidate);

	limit = limit < 1 ? 1 : limit > 3 ? 3 : limit;
	if (distance > limit || (n->best && distance >= n->distance))
		return;
	n->best = candidate;
	n->distance = distance;
}
