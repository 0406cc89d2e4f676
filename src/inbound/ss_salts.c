/*
 * A table of rows. A salt belongs to one row, where it comes first and pushes the
 * others on by one, the last one out: some thousands are remembered, and the last
 * four of every row for sure. Salts are random, so any 8 bytes of one tell it and
 * say where it belongs.
 */
#include "inbound/ss_salts.h"

#include <stdlib.h>
#include <string.h>

#define IDLE_MS 20000
#define ROW 4u

void ss_salts_share(struct ss_salts *s, uint64_t *recent)
{
	s->recent = recent;
	s->shared = true;
}

bool ss_salts_take(struct ss_salts *s, const uint8_t *salt, uint64_t now_ms)
{
	uint64_t value, pushed, *row;

	if (!s->recent)
		s->recent = calloc(SS_SALTS, sizeof(*s->recent));
	if (!s->recent)
		return true;
	s->last_ms = now_ms;
	memcpy(&value, salt, sizeof(value));
	row = s->recent + value % (SS_SALTS / ROW) * ROW;
	pushed = value;
	/* Of two workers that have the same salt at once, one finds it. */
	for (unsigned i = 0; i < ROW; i++) {
		pushed = __atomic_exchange_n(&row[i], pushed, __ATOMIC_RELAXED);
		if (pushed == value)
			return false;
	}
	return true;
}

bool ss_salts_keep(struct ss_salts *s, uint64_t now_ms)
{
	if (s->shared || !s->recent)
		return false;
	if (now_ms - s->last_ms < IDLE_MS)
		return true;
	ss_salts_free(s);
	return false;
}

void ss_salts_free(struct ss_salts *s)
{
	if (!s->shared)
		free(s->recent);
	s->recent = NULL;
}
