/* The direct outbound: a dial of its own per TCP flow, a full-cone port per
 * UDP association (direct_udp.c). */
#include "outbound/direct.h"

#include <stdlib.h>

#include "outbound/dial.h"
#include "outbound/direct_udp.h"
#include "outbound/guard.h"

struct direct {
	struct outbound outbound;
	struct dial_options dial;
	struct socket_rules rules;
	struct direct_udp_options udp;
};

struct dial {
	struct tcp_dial tcp;
	const struct direct *direct;
	bool named; /* the filter allows the target by its name */
	struct loop_work free_work;
	const struct dial_events *events;
	void *owner;
};

static void free_dial(struct loop_work *w)
{
	free(container_of(w, struct dial, free_work));
}

static void on_opened(void *owner, struct stream *s)
{
	struct dial *d = owner;

	loop_defer(&d->free_work, free_dial);
	d->events->opened(d->owner, s);
}

static void on_failed(void *owner, enum flow_end why)
{
	struct dial *d = owner;

	loop_defer(&d->free_work, free_dial);
	d->events->failed(d->owner, why);
}

static const struct dial_events tcp_events = { on_opened, on_failed };

/* What a server does not reach for strangers comes before any list. */
static bool refuses(void *owner, const struct addr *a)
{
	const struct dial *d = owner;
	const struct direct_udp_options *o = &d->direct->udp;

	return (!o->allow_local && guard_is_local(a)) || filter_denies_addr(o->filter, a, d->named);
}

static struct dial *direct_connect(struct outbound *o, const struct target *t, const struct dial_events *events,
				   void *owner)
{
	struct direct *direct = container_of(o, struct direct, outbound);
	struct dial *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->direct = direct;
	d->events = events;
	d->owner = owner;
	if (target_is_name(t) && filter_denies_name(direct->udp.filter, t, &d->named))
		tcp_dial_fail(&d->tcp, END_DENIED, &tcp_events, d);
	else
		tcp_dial_start(&d->tcp, t, &direct->dial, &tcp_events, d);
	return d;
}

static void direct_cancel(struct dial *d)
{
	tcp_dial_cancel(&d->tcp);
	loop_defer(&d->free_work, free_dial);
}

static struct datagram_port *direct_port(struct outbound *o)
{
	return direct_udp_port(&container_of(o, struct direct, outbound)->udp);
}

static void direct_free(struct outbound *o)
{
	free(container_of(o, struct direct, outbound));
}

static const struct outbound_ops direct_ops = {
	.connect = direct_connect,
	.cancel = direct_cancel,
	.port = direct_port,
	.free = direct_free,
};

void direct_change(struct outbound *o, bool allow_local, uint32_t timeout_s)
{
	struct direct *d = container_of(o, struct direct, outbound);

	d->dial.limit_ms = timeout_s * 1000;
	d->dial.refuse = allow_local && !d->udp.filter ? NULL : refuses;
	d->udp.allow_local = allow_local;
}

struct outbound *direct_new(const struct direct_options *o)
{
	struct direct *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->outbound.ops = &direct_ops;
	d->outbound.name = "direct";
	/* Killed in the middle of an upload, we must not make it look complete. */
	d->dial.socket.reset_on_death = true;
	d->dial.socket.rules = &d->rules;
	if (o->rules)
		d->rules = *o->rules;
	d->udp.rules = &d->rules;
	d->udp.filter = o->filter;
	direct_change(&d->outbound, o->allow_local, o->timeout_s);
	return &d->outbound;
}
