/* The packet window: a ring of 128 words of 64 ids, of which the newest 127 are
 * certain. WireGuard's scheme (RFC 6479) with shadowsocks-rust's sizes. */
#include "crypto/replay_window.h"

#include <string.h>

static uint64_t *word_of(struct replay_window *w, uint64_t id)
{
	return &w->ring[(id >> 6) % REPLAY_WINDOW_BLOCKS];
}

bool replay_window_check(const struct replay_window *w, uint64_t id)
{
	if (id > w->last)
		return true;
	if (w->last - id > REPLAY_WINDOW_SIZE)
		return false;
	return !(w->ring[(id >> 6) % REPLAY_WINDOW_BLOCKS] >> (id & 63) & 1);
}

/* Moves the front to `id`, clearing the words it passes. */
static void advance(struct replay_window *w, uint64_t id)
{
	uint64_t from = w->last >> 6, steps = (id >> 6) - from;

	if (steps > REPLAY_WINDOW_BLOCKS)
		steps = REPLAY_WINDOW_BLOCKS;
	for (uint64_t i = 1; i <= steps; i++)
		w->ring[(from + i) % REPLAY_WINDOW_BLOCKS] = 0;
	w->last = id;
}

bool replay_window_accept(struct replay_window *w, uint64_t id)
{
	if (!replay_window_check(w, id))
		return false;
	if (id > w->last)
		advance(w, id);
	*word_of(w, id) |= 1ull << (id & 63);
	return true;
}

void replay_window_close(struct replay_window *w, uint64_t last)
{
	memset(w->ring, 0xff, sizeof(w->ring));
	w->last = last;
	if ((last & 63) != 63)
		*word_of(w, last) = (2ull << (last & 63)) - 1;
}
