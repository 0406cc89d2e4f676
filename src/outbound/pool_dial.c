/*
 * A connect through the pool: the first choice, the next one as soon as it has
 * failed or when it has said nothing for HEDGE_MS, and so on; the first that
 * stands wins and the others are dropped. A server that let another win by being
 * that slow is counted as failed; one that is there and waits for the target
 * (true connect results) is neither. A failure that is the target's own
 * (outbound.target_failed) ends the search: it would be the same everywhere.
 */

#include "outbound/pool_impl.h"

#include "base/cells.h"

#define HEDGE_MS 1500

struct try {
	struct dial *whole;
	struct pool_member *member; /* held */
	struct dial *dial;	    /* while it is under way */
	uint64_t began_ms;
};

struct dial {
	struct pool *pool;
	const struct dial_events *events;
	void *owner;
	struct target target;
	struct loop_timer hedge;
	struct loop_work fail_work, free_work;
	enum flow_end why; /* of the last that failed */
	int n, next, under_way;
	struct try tries[];
};

static void free_dial(struct loop_work *w)
{
	cell_free(container_of(w, struct dial, free_work));
}

/* The server is there, and the target takes its time. */
static bool is_reached(const struct try *t)
{
	const struct outbound_ops *ops = t->member->outbound->ops;

	return t->dial && ops->reached && ops->reached(t->dial);
}

/* Drops what is under way, and the dial itself in the deferred pass. */
static void finish(struct dial *d, const struct try *winner)
{
	loop_timer_stop(&d->hedge);
	loop_defer_cancel(&d->fail_work);
	for (int i = 0; i < d->n; i++) {
		struct try *t = &d->tries[i];

		if (t->dial) {
			if (winner && loop_now() - t->began_ms >= HEDGE_MS && !is_reached(t))
				pool_member_failed(t->member, POOL_TCP);
			t->member->outbound->ops->cancel(t->dial);
			t->dial = NULL;
		}
		pool_member_release(t->member);
	}
	d->n = 0;
	loop_defer(&d->free_work, free_dial);
}

static void fail(struct dial *d, bool by_target)
{
	finish(d, NULL);
	d->pool->outbound.target_failed = by_target;
	d->events->failed(d->owner, d->why);
}

static void fail_later(struct loop_work *w)
{
	fail(container_of(w, struct dial, fail_work), false);
}

static void try_next(struct dial *);

static void on_opened(void *owner, struct stream *s)
{
	struct try *t = owner;
	struct dial *d = t->whole;

	t->dial = NULL;
	pool_member_succeeded(t->member, POOL_TCP, (uint32_t)(loop_now() - t->began_ms));
	d->pool->outbound.chosen = outbound_way(t->member->outbound);
	finish(d, t);
	d->events->opened(d->owner, s);
}

static void on_failed(void *owner, enum flow_end why)
{
	struct try *t = owner;
	struct dial *d = t->whole;

	t->dial = NULL;
	d->why = why;
	d->under_way--;
	if (t->member->outbound->target_failed) {
		fail(d, true);
		return;
	}
	if (why != END_LIMIT) /* else it is this machine that has failed */
		pool_member_failed(t->member, POOL_TCP);
	try_next(d);
	if (!d->under_way)
		fail(d, false);
}

static const struct dial_events try_events = { on_opened, on_failed };

static void on_hedge(struct loop_timer *timer)
{
	struct dial *d = container_of(timer, struct dial, hedge);

	for (int i = 0; i < d->next; i++)
		if (is_reached(&d->tries[i]))
			return; /* another server would wait for the same target */
	try_next(d);
}

/* Starts the next that can be started at all. */
static void try_next(struct dial *d)
{
	while (d->next < d->n) {
		struct try *t = &d->tries[d->next++];

		t->began_ms = loop_now();
		t->dial = t->member->outbound->ops->connect(t->member->outbound, &d->target, &try_events, t);
		if (t->dial) {
			d->under_way++;
			break;
		}
		d->why = END_LIMIT;
	}
	if (d->next < d->n)
		loop_timer_start(&d->hedge, HEDGE_MS, on_hedge);
	else
		loop_timer_stop(&d->hedge);
}

struct dial *pool_connect(struct outbound *o, const struct addr *client, const struct target *target,
			  const struct dial_events *events, void *owner)
{
	struct pool *p = container_of(o, struct pool, outbound);
	struct pool_member *order[p->n];
	int n = pool_choose(p, POOL_TCP, client, order);
	struct dial *d = cell_new(sizeof(*d) + (size_t)n * sizeof(d->tries[0]));

	if (!d)
		return NULL;
	d->pool = p;
	d->events = events;
	d->owner = owner;
	d->target = *target;
	d->why = END_DENIED; /* no server carries TCP */
	d->n = n;
	for (int i = 0; i < n; i++)
		d->tries[i] = (struct try){ .whole = d, .member = pool_member_hold(order[i]) };
	try_next(d);
	if (!d->under_way)
		loop_defer(&d->fail_work, fail_later);
	return d;
}

void pool_cancel(struct dial *d)
{
	finish(d, NULL);
}
