/* A short array; see keeper.h. */
#include "engine/keeper.h"

#include <stdlib.h>
#include <unistd.h>

struct keeper_item *keeper_find(const struct keeper *k, int type, const struct addr *at)
{
	for (int i = 0; i < k->n; i++)
		if (k->items[i].type == type && addr_equal(&k->items[i].at, at))
			return &k->items[i];
	return NULL;
}

static void close_item(struct keeper_item *i)
{
	if (i->fd >= 0)
		close(i->fd);
	i->fd = -1;
}

static struct keeper_item *append(struct keeper *k)
{
	if (k->n == k->size) {
		int size = k->size ? 2 * k->size : 8;
		struct keeper_item *more = realloc(k->items, (size_t)size * sizeof(*more));

		if (!more)
			return NULL;
		k->items = more;
		k->size = size;
	}
	return &k->items[k->n++];
}

void keeper_put(struct keeper *k, int type, const struct addr *at, int fd)
{
	struct keeper_item *i = keeper_find(k, type, at);

	if (i) {
		close_item(i);
		i->fd = fd;
		return;
	}
	i = append(k);
	if (i)
		*i = (struct keeper_item){ .type = type, .at = *at, .fd = fd };
	else
		close(fd);
}

void keeper_drop(struct keeper *k, int type, const struct addr *at)
{
	struct keeper_item *i = keeper_find(k, type, at);

	if (!i)
		return;
	close_item(i);
	*i = k->items[--k->n];
}

void keeper_clear(struct keeper *k)
{
	for (int i = 0; i < k->n; i++)
		close_item(&k->items[i]);
	free(k->items);
	*k = (struct keeper){ 0 };
}
