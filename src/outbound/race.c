/* Happy eyeballs. The owner embeds the race and frees it; see race.h. */
#include "outbound/race.h"

#define STAGGER_MS 250

static void try_next(struct race *);

static void drop(struct race *r, struct stream *except)
{
	loop_timer_stop(&r->stagger);
	loop_timer_stop(&r->limit);
	for (int i = 0; i < r->next; i++) {
		if (r->tries[i] && r->tries[i] != except)
			stream_end(r->tries[i], END_DONE);
		r->tries[i] = NULL;
	}
	r->under_way = 0;
	r->n = r->next;
}

static void on_connected(void *owner, struct stream *s)
{
	struct race *r = owner;

	drop(r, s);
	r->events->opened(r->owner, s);
}

static void on_failed(void *owner, struct stream *s, int err)
{
	struct race *r = owner;

	for (int i = 0; i < r->next; i++)
		if (r->tries[i] == s)
			r->tries[i] = NULL;
	stream_end(s, END_DONE);
	r->under_way--;
	r->last_err = err;
	try_next(r);
	if (!r->under_way) {
		drop(r, NULL);
		r->events->failed(r->owner, flow_end_of_connect(r->last_err));
	}
}

static const struct tcp_connect_events connect_events = { on_connected, on_failed };

static void on_stagger(struct loop_timer *t)
{
	try_next(container_of(t, struct race, stagger));
}

static void on_limit(struct loop_timer *t)
{
	struct race *r = container_of(t, struct race, limit);

	drop(r, NULL);
	r->events->failed(r->owner, r->last_err ? flow_end_of_connect(r->last_err) : END_CONNECT_TIMEOUT);
}

/* Starts the next address that can be started at all. */
static void try_next(struct race *r)
{
	while (r->next < r->n) {
		int i = r->next++, err = 0;

		r->tries[i] = tcp_socket_connect(&r->addrs[i], &r->options, &connect_events, r, &err);
		if (r->tries[i]) {
			r->under_way++;
			break;
		}
		r->last_err = err;
	}
	if (r->next < r->n)
		loop_timer_start(&r->stagger, STAGGER_MS, on_stagger);
	else
		loop_timer_stop(&r->stagger);
}

int race_start(struct race *r, const struct tcp_socket_options *options, uint32_t limit_ms,
	       const struct dial_events *events, void *owner)
{
	r->options = *options;
	r->events = events;
	r->owner = owner;
	try_next(r);
	if (!r->under_way)
		return -r->last_err;
	loop_timer_start(&r->limit, limit_ms, on_limit);
	return 0;
}

static bool knows(const struct race *r, const struct addr *a)
{
	for (int i = 0; i < r->n; i++)
		if (addr_equal(&r->addrs[i], a))
			return true;
	return false;
}

void race_add(struct race *r, const struct addr *a)
{
	if (r->n == RESOLVE_MAX || knows(r, a))
		return;
	r->addrs[r->n++] = *a;
	try_next(r);
}

void race_cancel(struct race *r)
{
	drop(r, NULL);
}
