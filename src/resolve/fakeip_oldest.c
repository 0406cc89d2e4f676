/*
 * Whose address is given away when there is no other: that of the name which
 * has been unused for longest, of those whose time is over.
 *
 * Ages are written without a lock, by whoever uses an address, so there is no list in
 * their order. All are looked at instead, and the FAKEIP_OLDEST longest unused kept, in
 * order, for as many calls to come. That order stays right: an age is only ever
 * begun anew, so nobody falls behind one who is kept, and one who was used since is
 * passed over. (A name that was in use when all were looked at, and whose time ends before
 * the kept ones are given away, waits for the next look.) A look at a full map is some
 * 3 MB of memory, shared by 64 new names.
 *
 * When none was over, nobody looks again before the first of them can be: refusing
 * is cheap however many ask. What was found out is forgotten whenever an index
 * becomes free by another way.
 */
#include <errno.h>

#include "resolve/fakeip_impl.h"

static uint64_t last_use(const struct fakeip *f, uint32_t index)
{
	const struct fakeip_slot *s = &f->common->slots[index];

	return s->bucket ? __atomic_load_n(&s->last_ms, __ATOMIC_RELAXED) : 0; /* nobody's: before all others */
}

/* When it may be given away. */
static uint64_t end_of(const struct fakeip *f, uint32_t index)
{
	uint64_t last = last_use(f, index);

	return last ? last + fakeip_life_ms(f, index) : 0;
}

/* Into the list, which stays in order and drops the youngest. */
static void keep(struct fakeip_common *c, uint32_t index, uint64_t last_ms)
{
	uint32_t at = c->n_oldest;

	if (at == FAKEIP_OLDEST && c->oldest[--at].last_ms <= last_ms)
		return;
	for (; at && c->oldest[at - 1].last_ms > last_ms; at--)
		c->oldest[at] = c->oldest[at - 1];
	c->oldest[at] = (struct fakeip_old){ .last_ms = last_ms, .index = index };
	if (c->n_oldest < FAKEIP_OLDEST)
		c->n_oldest++;
}

static void look(struct fakeip *f, uint64_t now_ms)
{
	struct fakeip_common *c = f->common;
	uint64_t next = now_ms + f->answered_ms; /* of who is given an address, or uses one, from now on */

	fakeip_oldest_forget(f);
	for (uint32_t i = 0; i < c->count; i++) {
		uint64_t end = end_of(f, i);

		if (end <= now_ms)
			keep(c, i, last_use(f, i));
		else if (end < next)
			next = end;
	}
	c->none_before_ms = c->n_oldest < FAKEIP_OLDEST ? next : 0; /* 0: there are more than are kept */
}

/* The next that is still what it was. */
static bool take(struct fakeip *f, uint64_t now_ms, uint32_t *index)
{
	struct fakeip_common *c = f->common;

	while (c->next_oldest < c->n_oldest) {
		const struct fakeip_old *o = &c->oldest[c->next_oldest++];

		*index = o->index;
		if (last_use(f, o->index) == o->last_ms && end_of(f, o->index) <= now_ms)
			return true;
	}
	return false;
}

int fakeip_oldest(struct fakeip *f, uint64_t now_ms, uint32_t *index)
{
	if (take(f, now_ms, index))
		return 0;
	if (now_ms < f->common->none_before_ms)
		return -ENOSPC;
	look(f, now_ms);
	return take(f, now_ms, index) ? 0 : -ENOSPC;
}

void fakeip_oldest_forget(struct fakeip *f)
{
	f->common->none_before_ms = 0;
	f->common->n_oldest = f->common->next_oldest = 0;
}
