/* The direct outbound: a dial of its own per TCP flow, a full-cone port per
 * UDP association (direct_udp.c). Both ask its rules and its filter as long as they
 * live, so it lives as long as they do. */
#include "outbound/direct.h"

#include <stdlib.h>

#include "base/cells.h"
#include "outbound/dial.h"
#include "outbound/direct_udp.h"
#include "outbound/guard.h"
#include "outbound/uses.h"

struct direct {
	struct outbound outbound;
	struct dial_options dial;
	struct socket_rules rules;
	struct direct_udp_options udp;
	struct outbound_uses uses; /* dials, ports */
	void (*gone)(void *owner);
	void *owner;
};

struct dial {
	struct tcp_dial tcp;
	struct direct *direct;
	bool named; /* the filter allows the target by its name */
	struct loop_work free_work;
	const struct dial_events *events;
	void *owner;
};

/* ---- life ---- */

static void free_now(struct loop_work *w)
{
	struct direct *d = container_of(w, struct direct, uses.work);

	if (d->gone)
		d->gone(d->owner);
	free(d);
}

static void direct_free(struct outbound *o)
{
	outbound_leave(&container_of(o, struct direct, outbound)->uses, free_now);
}

/* ---- dials ---- */

static void free_dial(struct loop_work *w)
{
	cell_free(container_of(w, struct dial, free_work));
}

/* The dial's last use of its outbound. */
static void done(struct dial *d)
{
	loop_defer(&d->free_work, free_dial);
	outbound_release(&d->direct->uses, free_now);
}

static void on_opened(void *owner, struct stream *s)
{
	struct dial *d = owner;

	done(d);
	d->events->opened(d->owner, s);
}

static void on_failed(void *owner, enum flow_end why)
{
	struct dial *d = owner;

	done(d);
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
	struct dial *d = cell_new(sizeof(*d));

	if (!d)
		return NULL;
	outbound_use(&direct->uses);
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
	done(d);
}

/* ---- ports ---- */

static void on_port_ended(void *owner)
{
	outbound_release(&((struct direct *)owner)->uses, free_now);
}

static struct datagram_port *direct_port(struct outbound *o)
{
	struct direct *d = container_of(o, struct direct, outbound);
	struct datagram_port *port = direct_udp_port(&d->udp);

	if (port)
		outbound_use(&d->uses);
	return port;
}

static const struct outbound_ops direct_ops = {
	.connect = direct_connect,
	.cancel = direct_cancel,
	.port = direct_port,
	.free = direct_free,
};

void direct_change(struct outbound *o, bool allow_local, const struct socket_rules *rules, uint32_t timeout_s)
{
	struct direct *d = container_of(o, struct direct, outbound);

	if (rules)
		d->rules = *rules;
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
	d->udp.rules = &d->rules;
	d->udp.filter = o->filter;
	d->udp.ended = on_port_ended;
	d->udp.owner = d;
	d->gone = o->gone;
	d->owner = o->owner;
	direct_change(&d->outbound, o->allow_local, o->rules, o->timeout_s);
	return &d->outbound;
}
