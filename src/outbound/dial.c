/* Name → addresses → race. Failures that are known at once are told from the
 * deferred pass, so that no event comes from inside tcp_dial_start(). */
#include "outbound/dial.h"

static void tell_failure(struct loop_work *w)
{
	struct tcp_dial *d = container_of(w, struct tcp_dial, work);

	d->events->failed(d->owner, d->failure);
}

static void fail_later(struct tcp_dial *d, enum flow_end why)
{
	d->failure = why;
	loop_defer(&d->work, tell_failure);
}

static void race_addresses(struct tcp_dial *d, const struct resolved *found)
{
	bool refused = false;
	int err;

	for (int i = 0; i < found->n; i++) {
		if (d->options->refuse && d->options->refuse(d->owner, &found->addrs[i])) {
			refused = true;
			continue;
		}
		d->race.addrs[d->race.n] = found->addrs[i];
		d->race.addrs[d->race.n++].port = d->port;
	}
	if (!d->race.n) {
		fail_later(d, refused ? END_DENIED : END_NAME);
		return;
	}
	err = race_start(&d->race, &d->options->socket, d->options->limit_ms, d->events, d->owner);
	if (err)
		fail_later(d, flow_end_of_connect(err));
}

static void on_resolved(void *owner, const struct resolved *found)
{
	struct tcp_dial *d = owner;

	d->query = NULL;
	race_addresses(d, found);
}

void tcp_dial_start(struct tcp_dial *d, const struct target *t, const struct dial_options *options,
		    const struct dial_events *events, void *owner)
{
	struct resolved found;

	d->options = options;
	d->events = events;
	d->owner = owner;
	d->port = target_port(t);
	if (!target_is_name(t)) {
		found.n = 1;
		found.addrs[0] = t->ip;
		race_addresses(d, &found);
	} else if (resolve_cached(t->name, t->name_len, &found)) {
		race_addresses(d, &found);
	} else {
		d->query = resolve_start(t->name, t->name_len, on_resolved, d);
		if (!d->query)
			fail_later(d, END_LIMIT);
	}
}

void tcp_dial_fail(struct tcp_dial *d, enum flow_end why, const struct dial_events *events, void *owner)
{
	d->events = events;
	d->owner = owner;
	fail_later(d, why);
}

void tcp_dial_cancel(struct tcp_dial *d)
{
	if (d->query)
		resolve_cancel(d->query);
	d->query = NULL;
	loop_defer_cancel(&d->work);
	race_cancel(&d->race);
}
