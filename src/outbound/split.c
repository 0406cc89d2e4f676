/*
 * See split.h. TCP: a dial decides, resolves where that is needed, and is from
 * then on the dial of the outbound it chose. A name is handed on as a name, so
 * that whoever reaches it resolves it where it is reached from.
 *
 * Dials and ports use it and its two ways: freed meanwhile, it lives on until the last of
 * them has ended, and tells its owner so.
 */
#include "outbound/split_impl.h"

#include <stdlib.h>

#include "base/cells.h"
#include "base/list.h"
#include "loop/loop.h"

struct dial {
	struct split *split;
	struct outbound *via;
	struct dial *inner;
	struct resolve_query *query;
	struct target target;
	struct addr client; /* family 0: nobody's */
	enum flow_end failure;
	struct loop_work fail_work, free_work;
	const struct dial_events *events;
	void *owner;
};

static struct split *of(struct outbound *o)
{
	return container_of(o, struct split, outbound);
}

/* ---- life ---- */

static void free_now(struct loop_work *w)
{
	struct split *s = container_of(w, struct split, uses.work);

	if (s->options.gone)
		s->options.gone(s->options.owner);
	free(s);
}

void split_release(struct split *s)
{
	outbound_release(&s->uses, free_now);
}

static void split_free(struct outbound *o)
{
	outbound_leave(&of(o)->uses, free_now);
}

static void free_dial(struct loop_work *w)
{
	cell_free(container_of(w, struct dial, free_work));
}

/* The dial's last use of its outbound. */
static void done(struct dial *d)
{
	loop_defer(&d->free_work, free_dial);
	split_release(d->split);
}

/* ---- ends ---- */

static void on_opened(void *owner, struct stream *s)
{
	struct dial *d = owner;

	d->split->outbound.chosen = outbound_way(d->via);
	done(d);
	d->events->opened(d->owner, s);
}

static void on_failed(void *owner, enum flow_end why)
{
	struct dial *d = owner;

	d->split->outbound.target_failed = d->via->target_failed;
	done(d);
	d->events->failed(d->owner, why);
}

static const struct dial_events inner_events = { on_opened, on_failed };

static void tell_failure(struct loop_work *w)
{
	struct dial *d = container_of(w, struct dial, fail_work);

	d->split->outbound.target_failed = d->failure == END_DENIED;
	done(d);
	d->events->failed(d->owner, d->failure);
}

static void fail_later(struct dial *d, enum flow_end why)
{
	d->failure = why;
	loop_defer(&d->fail_work, tell_failure);
}

/* ---- beginnings ---- */

static void go(struct dial *d, enum split_way way)
{
	const struct addr *client = d->client.family ? &d->client : NULL;

	if (way == SPLIT_BLOCK) {
		fail_later(d, END_DENIED);
		return;
	}
	d->via = split_via(d->split, way);
	d->inner = client ? outbound_connect(d->via, client, &d->target, &inner_events, d) :
			    d->via->ops->connect(d->via, &d->target, &inner_events, d);
	if (!d->inner)
		fail_later(d, END_LIMIT);
}

static void on_resolved(void *owner, const struct resolved *found)
{
	struct dial *d = owner;

	d->query = NULL;
	go(d, split_decide_resolved(d->split, found));
}

static void resolve(struct dial *d)
{
	struct resolved found;

	if (resolve_cached(d->target.name, d->target.name_len, &found)) {
		go(d, split_decide_resolved(d->split, &found));
		return;
	}
	d->query = resolve_start(d->target.name, d->target.name_len, on_resolved, d);
	if (!d->query)
		fail_later(d, END_LIMIT);
}

static struct dial *split_connect_from(struct outbound *o, const struct addr *client, const struct target *t,
				       const struct dial_events *events, void *owner)
{
	struct dial *d = cell_new(sizeof(*d));
	enum split_way way;

	if (!d)
		return NULL;
	d->split = of(o);
	outbound_use(&d->split->uses);
	d->target = *t;
	if (client)
		d->client = *client;
	d->events = events;
	d->owner = owner;
	way = split_decide(d->split, t);
	if (way == SPLIT_RESOLVE)
		resolve(d);
	else
		go(d, way);
	return d;
}

static struct dial *split_connect(struct outbound *o, const struct target *t, const struct dial_events *events, void *owner)
{
	return split_connect_from(o, NULL, t, events, owner);
}

static void split_cancel(struct dial *d)
{
	if (d->query)
		resolve_cancel(d->query);
	if (d->inner)
		d->via->ops->cancel(d->inner);
	loop_defer_cancel(&d->fail_work);
	done(d);
}

/* ---- the outbound ---- */

static struct datagram_port *split_port_from(struct outbound *o, const struct addr *client)
{
	return split_udp_port(of(o), client);
}

static struct datagram_port *split_port(struct outbound *o)
{
	return split_udp_port(of(o), NULL);
}

static const struct outbound_ops split_ops = {
	.connect = split_connect,
	.cancel = split_cancel,
	.port = split_port,
	.free = split_free,
	.connect_from = split_connect_from,
	.port_from = split_port_from,
};

struct outbound *split_new(const struct split_options *o)
{
	struct split *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->outbound.ops = &split_ops;
	s->outbound.name = "split";
	s->options = *o;
	return &s->outbound;
}

void split_set_rules(struct outbound *o, const void *rules)
{
	struct split *s = of(o);

	s->options.rules = rules;
	s->generation++;
}
