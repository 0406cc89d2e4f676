/* Reaching a server by ourselves or through another outbound; see reach.h. */
#include "outbound/reach.h"

static void on_opened(void *owner, struct stream *s)
{
	struct reach *r = owner;

	r->dial = NULL;
	r->events->opened(r->owner, s);
}

static void on_failed(void *owner, enum flow_end why)
{
	struct reach *r = owner;

	r->dial = NULL;
	r->events->failed(r->owner, why);
}

static const struct dial_events via_events = { on_opened, on_failed };

static void refuse(struct loop_work *w)
{
	struct reach *r = container_of(w, struct reach, work);

	r->events->failed(r->owner, END_LIMIT);
}

void reach_start(struct reach *r, struct outbound *via, const struct target *t, const struct dial_options *options,
		 const struct dial_events *events, void *owner)
{
	r->via = via;
	r->events = events;
	r->owner = owner;
	if (!via) {
		tcp_dial_start(&r->tcp, t, options, events, owner);
		return;
	}
	r->dial = via->ops->connect(via, t, &via_events, r);
	if (!r->dial)
		loop_defer(&r->work, refuse);
}

void reach_cancel(struct reach *r)
{
	loop_defer_cancel(&r->work);
	if (r->dial)
		r->via->ops->cancel(r->dial);
	r->dial = NULL;
	if (!r->via)
		tcp_dial_cancel(&r->tcp);
}
