/*
 *	          answers               data without an answer, or two misses in a row
 *	AWARE ◄──────────── UNKNOWN ─────────────────────────────────────────► UNAWARE
 *	  └──────a miss───────► ▲ └──────────────── the pause is over ───────────┘
 *
 * No connection may suffer from being asked for: while nothing is known the wait
 * is short (WAIT_MS and three round trips), and then the connection goes on as
 * if nobody had asked. Data where an answer should have been is proof that the
 * server does not know the mark; silence is not (the target may be slow), so
 * it makes a shorter pause, and an answer that comes late still counts.
 */
#include "outbound/awareness.h"

#define WAIT_MS 300
#define RTT_MAX_MS 1000
#define AWARE_SLACK_MS 5000 /* the server's limit began later than ours */
#define MISSES 2
#define PAUSE_MIN_MS 60000
#define PAUSE_MAX_MS 600000

static void pause_asking(struct awareness *a, uint32_t ms, uint64_t now)
{
	a->state = AWARENESS_UNAWARE;
	a->misses = 0;
	a->pause_ms = ms;
	a->until_ms = now + ms;
}

bool awareness_asks(struct awareness *a, uint64_t now)
{
	if (a->state == AWARENESS_UNAWARE && now >= a->until_ms)
		a->state = AWARENESS_UNKNOWN;
	return a->state != AWARENESS_UNAWARE;
}

uint64_t awareness_patience_ms(const struct awareness *a, uint64_t rtt_ms, uint64_t limit_ms)
{
	if (a->state == AWARENESS_AWARE)
		return limit_ms + AWARE_SLACK_MS;
	return WAIT_MS + 3 * (rtt_ms < RTT_MAX_MS ? rtt_ms : RTT_MAX_MS);
}

void awareness_learn(struct awareness *a, bool aware, uint64_t now)
{
	if (aware)
		*a = (struct awareness){ .state = AWARENESS_AWARE };
	else
		pause_asking(a, PAUSE_MAX_MS, now);
}

void awareness_missed(struct awareness *a, uint64_t now)
{
	if (a->state == AWARENESS_AWARE) {
		*a = (struct awareness){ .state = AWARENESS_UNKNOWN };
		return;
	}
	if (a->state == AWARENESS_UNAWARE || ++a->misses < MISSES)
		return;
	pause_asking(a, !a->pause_ms ? PAUSE_MIN_MS : a->pause_ms < PAUSE_MAX_MS / 2 ? 2 * a->pause_ms : PAUSE_MAX_MS, now);
}
