/*
 * Name → addresses → race. Failures that are known at once are told from the
 * deferred pass, so that no event comes from inside tcp_dial_start().
 *
 *	cached ── race ── stands ───────────────────────────────────→ opened
 *	           │ fails, or SECOND_MS and nothing (follow)
 *	           └── ask DNS anew ── new addresses join the race, or begin another
 *	                            └─ none: as the race ends ──────→ failed
 */
#include "outbound/dial.h"

#define SECOND_MS 700
#define PATIENCE_MS 1000 /* for DNS, once all known addresses have failed */

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

/* ---- the second look ---- */

/* False: it was looked at before, or there is nothing to look at. */
static bool look_again(struct tcp_dial *d, resolve_done *done)
{
	if (!d->options->follow || !target_is_name(&d->name) || d->doubted)
		return false;
	d->doubted = true;
	loop_timer_stop(&d->second);
	resolve_doubt(d->name.name, d->name.name_len);
	d->query = resolve_start(d->name.name, d->name.name_len, done, d);
	return d->query != NULL;
}

static bool begin(struct tcp_dial *, const struct resolved *);

static bool was_tried(const struct tcp_dial *d, const struct addr *a)
{
	for (int i = 0; i < d->race.n; i++)
		if (addr_ip_equal(&d->race.addrs[i], a))
			return true;
	return false;
}

static void on_resolved_again(void *owner, const struct resolved *found)
{
	struct tcp_dial *d = owner;
	struct resolved fresh = { 0 };

	d->query = NULL;
	loop_timer_stop(&d->second);
	for (int i = 0; i < found->n; i++)
		if (!was_tried(d, &found->addrs[i]))
			fresh.addrs[fresh.n++] = found->addrs[i];
	if (d->racing) {
		for (int i = 0; i < fresh.n; i++) {
			fresh.addrs[i].port = d->port;
			race_add(&d->race, &fresh.addrs[i]);
		}
	} else if (!fresh.n) {
		d->events->failed(d->owner, d->failure);
	} else {
		d->race.n = d->race.next = 0;
		if (!begin(d, &fresh))
			d->events->failed(d->owner, d->failure);
	}
}

static void on_second(struct loop_timer *t)
{
	look_again(container_of(t, struct tcp_dial, second), on_resolved_again);
}

static void on_impatience(struct loop_timer *t)
{
	struct tcp_dial *d = container_of(t, struct tcp_dial, second);

	resolve_cancel(d->query);
	d->query = NULL;
	d->events->failed(d->owner, d->failure);
}

/* All have failed. False: nothing more is to be had. */
static bool wait_for_more(struct tcp_dial *d)
{
	if (!d->query && !look_again(d, on_resolved_again))
		return false;
	loop_timer_start(&d->second, PATIENCE_MS, on_impatience);
	return true;
}

/* ---- the race ---- */

static void on_opened(void *owner, struct stream *s)
{
	struct tcp_dial *d = owner;

	tcp_dial_cancel(d);
	d->events->opened(d->owner, s);
}

static void on_failed(void *owner, enum flow_end why)
{
	struct tcp_dial *d = owner;

	d->racing = false;
	d->failure = why;
	loop_timer_stop(&d->second);
	if (!wait_for_more(d))
		d->events->failed(d->owner, why);
}

static const struct dial_events race_events = { on_opened, on_failed };

/* Races them; false: none could be tried, and d->failure says why. */
static bool begin(struct tcp_dial *d, const struct resolved *found)
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
	d->failure = refused ? END_DENIED : END_NAME;
	if (!d->race.n)
		return false;
	err = race_start(&d->race, &d->options->socket, d->options->limit_ms, &race_events, d);
	if (err)
		d->failure = flow_end_of_connect(err);
	d->racing = !err;
	return d->racing;
}

static void race_addresses(struct tcp_dial *d, const struct resolved *found)
{
	if (!begin(d, found) && !wait_for_more(d))
		fail_later(d, d->failure);
}

static void on_resolved(void *owner, const struct resolved *found)
{
	struct tcp_dial *d = owner;

	d->query = NULL;
	d->doubted = true; /* this was no answer of the cache's */
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
	if (options->follow)
		d->name = *t;
	if (!target_is_name(t)) {
		found.n = 1;
		found.addrs[0] = t->ip;
		race_addresses(d, &found);
	} else if (resolve_cached(t->name, t->name_len, &found)) {
		race_addresses(d, &found);
		if (options->follow && d->racing)
			loop_timer_start(&d->second, SECOND_MS, on_second);
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
	d->racing = false;
	loop_timer_stop(&d->second);
	loop_defer_cancel(&d->work);
	race_cancel(&d->race);
}
