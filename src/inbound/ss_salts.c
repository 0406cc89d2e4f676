/*
 * A table with one place for each salt, which the next salt of that place takes:
 * a few thousand are remembered on average, none for sure. Salts are random, so
 * any 8 bytes of one tell it and say where it belongs.
 */
#include "inbound/ss_salts.h"

#include <stdlib.h>
#include <string.h>

#define IDLE_MS 20000

void ss_salts_share(struct ss_salts *s, uint64_t *recent)
{
	s->recent = recent;
	s->shared = true;
}

bool ss_salts_take(struct ss_salts *s, const uint8_t *salt, uint64_t now_ms)
{
	uint64_t value;

	if (!s->recent)
		s->recent = calloc(SS_SALTS, sizeof(*s->recent));
	if (!s->recent)
		return true;
	s->last_ms = now_ms;
	memcpy(&value, salt, sizeof(value));
	/* Of two workers that have the same salt at once, one finds it. */
	return __atomic_exchange_n(&s->recent[value & (SS_SALTS - 1)], value, __ATOMIC_RELAXED) != value;
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
