/*
 * The breaker.
 *
 *	          silence, and TCP is heard
 *	CLOSED ─────────────────────────────────► OPEN ◄───────────┐
 *	  ▲  │                                     │ backoff is up │ TCP answers, UDP does not
 *	  │  └──────────silence ──► HALF_OPEN ◄────┘               │ (backoff doubles)
 *	  └──────UDP answers──────────┤ └──────────────────────────┘
 *
 * Silence: since UDP last answered at least DATAGRAMS were sent, by at least
 * two associations over SILENT_MS or by one over SILENT_ONE_MS. It may be the
 * targets that are silent, so it counts only beside bytes that came by TCP
 * meanwhile; where nothing came by TCP either (names cannot be asked for, so
 * nobody connects) the breaker is in doubt, and HALF_OPEN finds out: a few
 * associations race both ways, and the first answer decides. A race that nobody
 * answers proves nothing: back to the state before.
 */
#include "outbound/breaker.h"

#include <assert.h>

#define DATAGRAMS 4
#define SILENT_MS 3000
#define SILENT_ONE_MS 8000
#define BACKOFF_MIN_MS 5000
#define BACKOFF_MAX_MS 300000

static const char *const names[] = {
	[BREAKER_CLOSED] = "closed",
	[BREAKER_OPEN] = "open",
	[BREAKER_HALF_OPEN] = "half-open",
};
static_assert(sizeof(names) / sizeof(names[0]) == BREAKER_STATES, "every state has a word");

const char *breaker_state_name(enum breaker_state s)
{
	return names[s];
}

static void forget_silence(struct breaker *b)
{
	b->silent_datagrams = b->silent_associations = 0;
	b->silent_since_ms = 0;
}

void breaker_init(struct breaker *b)
{
	*b = (struct breaker){ .backoff_ms = BACKOFF_MIN_MS };
}

static void open_it(struct breaker *b, uint64_t now)
{
	b->state = BREAKER_OPEN;
	b->retry_ms = now + b->backoff_ms;
	forget_silence(b);
}

static bool is_silent(const struct breaker *b, uint64_t now)
{
	uint64_t ms = b->silent_associations > 1 ? SILENT_MS : SILENT_ONE_MS;

	return b->silent_datagrams >= DATAGRAMS && now - b->silent_since_ms >= ms;
}

void breaker_sent(struct breaker *b, uint64_t now, uint32_t n, bool fresh, uint64_t tcp_heard_ms)
{
	if (b->state != BREAKER_CLOSED)
		return;
	if (!b->silent_datagrams)
		b->silent_since_ms = now;
	b->silent_datagrams += n;
	b->silent_associations += fresh;
	if (!is_silent(b, now))
		return;
	if (tcp_heard_ms > b->silent_since_ms) {
		b->trips++;
		open_it(b, now);
	} else {
		b->state = BREAKER_HALF_OPEN;
		b->was_open = false;
	}
}

void breaker_answered(struct breaker *b)
{
	b->state = BREAKER_CLOSED;
	b->backoff_ms = BACKOFF_MIN_MS;
	forget_silence(b);
}

void breaker_lost(struct breaker *b, uint64_t now)
{
	if (b->state != BREAKER_HALF_OPEN)
		return;
	if (!b->was_open)
		b->trips++;
	else
		b->backoff_ms = b->backoff_ms < BACKOFF_MAX_MS / 2 ? 2 * b->backoff_ms : BACKOFF_MAX_MS;
	open_it(b, now);
}

void breaker_undecided(struct breaker *b, uint64_t now)
{
	if (b->state != BREAKER_HALF_OPEN)
		return;
	if (b->was_open) {
		open_it(b, now);
	} else {
		b->state = BREAKER_CLOSED;
		forget_silence(b);
	}
}

enum breaker_way breaker_way(struct breaker *b, uint64_t now)
{
	if (b->state == BREAKER_OPEN && now >= b->retry_ms) {
		b->state = BREAKER_HALF_OPEN;
		b->was_open = true;
	}
	return b->state == BREAKER_CLOSED ? WAY_UDP : b->state == BREAKER_OPEN ? WAY_TCP : WAY_BOTH;
}
