/* See array.h. */
#include "base/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define ROOM_FIRST 16

int array_reserve(void *items_at, uint32_t *room, size_t want, size_t size)
{
	size_t more = *room ? *room : ROOM_FIRST, bytes;
	void *items;

	if (want <= *room)
		return 0;
	while (more < want && more <= UINT32_MAX)
		more *= 2;
	if (more > UINT32_MAX || __builtin_mul_overflow(more, size, &bytes))
		return -ENOMEM;
	memcpy(&items, items_at, sizeof(items));
	items = realloc(items, bytes);
	if (!items)
		return -ENOMEM;
	memcpy(items_at, &items, sizeof(items));
	*room = (uint32_t)more;
	return 0;
}

void *array_grow_or_die(void *items, int n, size_t size)
{
	void *more = reallocarray(items, (size_t)n + 1, size);

	if (!more)
		die(1, "out of memory");
	return more;
}
