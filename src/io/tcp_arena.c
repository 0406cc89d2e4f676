/* The arena of tcp_arena.h. */
#include "io/tcp_arena.h"

#include <stdbool.h>

#define REST_MIN 4096u /* a rest smaller than this is not received into */

static struct buf *arena;
static uint32_t used;
static bool busy; /* since the last trim */

void tcp_arena_trim(void)
{
	if (arena && !busy) {
		buf_unref(arena);
		arena = NULL;
	}
	busy = false;
}

struct slice tcp_arena_room(uint32_t most)
{
	busy = true;
	if (arena && arena->refs == 1)
		used = 0; /* all slices are gone: start over, warm */
	if (arena && BUF_LARGE - used < REST_MIN) {
		buf_unref(arena);
		arena = NULL;
	}
	if (!arena) {
		arena = buf_get(BUF_LARGE);
		used = 0;
	}
	if (!arena)
		return (struct slice){ 0 };
	return (struct slice){ arena, used, BUF_LARGE - used < most ? BUF_LARGE - used : most };
}

void tcp_arena_take(uint32_t len)
{
	used += (len + 63u) & ~63u;
	if (used > BUF_LARGE)
		used = BUF_LARGE;
}
