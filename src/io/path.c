/*
 * The limits of path.h: a list, because it is as good as always empty, and as long as the
 * number of servers behind such a path where it is not.
 */
#include "io/path.h"

#include <stdlib.h>

struct limit {
	struct list node;
	struct addr peer;
	uint16_t mtu;
	bool used;
};

uint32_t path_number;
static struct list limits, listeners;
static void (*on_change)(void);

static struct list *list_of(struct list *l)
{
	if (!l->next)
		list_init(l);
	return l;
}

static struct limit *find(const struct addr *peer)
{
	list_for_each (it, list_of(&limits)) {
		struct limit *l = container_of(it, struct limit, node);

		if (addr_ip_equal(&l->peer, peer))
			return l;
	}
	return NULL;
}

uint16_t path_limit(const struct addr *peer)
{
	const struct limit *l = find(peer);

	return l ? l->mtu : 0;
}

uint16_t path_limit_to_use(const struct addr *peer)
{
	struct limit *l = find(peer);

	if (!l)
		return 0;
	l->used = true;
	return l->mtu;
}

bool path_was_used(const struct addr *peer)
{
	struct limit *l = find(peer);
	bool used = l && l->used;

	if (l)
		l->used = false;
	return used;
}

static void drop(struct limit *l)
{
	list_remove(&l->node);
	free(l);
}

static struct limit *add(const struct addr *peer)
{
	struct limit *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->peer = *peer;
	list_append(&limits, &l->node);
	return l;
}

void path_set_limit(const struct addr *peer, uint16_t mtu)
{
	struct limit *l = find(peer);

	if ((l ? l->mtu : 0) == mtu)
		return;
	if (!mtu)
		drop(l);
	else if (l || (l = add(peer)))
		l->mtu = mtu;
	path_number++;
	if (on_change)
		on_change();
}

void path_forget_all(void)
{
	list_for_each_safe (it, list_of(&limits))
		drop(container_of(it, struct limit, node));
}

void path_listen(struct path_listener *l, void (*heard)(struct path_listener *, const struct addr *))
{
	l->heard = heard;
	list_append(list_of(&listeners), &l->node);
}

void path_unlisten(struct path_listener *l)
{
	if (l->heard)
		list_remove(&l->node);
	l->heard = NULL;
}

void path_tell(const struct addr *peer)
{
	list_for_each (it, list_of(&listeners)) {
		struct path_listener *l = container_of(it, struct path_listener, node);

		l->heard(l, peer);
	}
}

void path_on_change(void (*changed)(void))
{
	on_change = changed;
}
