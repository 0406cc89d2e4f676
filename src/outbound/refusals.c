/* See refusals.h. The targets lie in a pool buffer, which an idle port has not. */
#include "outbound/refusals.h"

#include "base/list.h"

struct refusal {
	struct target remote;
	enum flow_end why;
};

static struct refusal *list_of(const struct refusals *r)
{
	return (struct refusal *)(void *)r->scratch->data;
}

static void forget(struct refusals *r)
{
	if (r->scratch)
		buf_unref(r->scratch);
	r->scratch = NULL;
	r->n = 0;
}

static void tell(struct loop_work *w)
{
	struct refusals *r = container_of(w, struct refusals, work);

	/* Whoever is told may end the port, and with it what is left here. */
	while (r->n) {
		struct refusal first = list_of(r)[--r->n];

		datagram_refused(r->port, &first.remote, first.why);
	}
	forget(r);
}

static bool is_known(const struct refusals *r, const struct target *t)
{
	for (int i = 0; i < r->n; i++)
		if (target_equal(&list_of(r)[i].remote, t))
			return true;
	return false;
}

void refusals_add(struct refusals *r, struct datagram_port *port, const struct target *t, enum flow_end why)
{
	if (!port->events->refused || r->n == REFUSALS_MAX || (r->n && is_known(r, t)))
		return;
	if (!r->scratch)
		r->scratch = buf_get(REFUSALS_MAX * sizeof(struct refusal));
	if (!r->scratch)
		return;
	r->port = port;
	list_of(r)[r->n++] = (struct refusal){ *t, why };
	loop_defer(&r->work, tell);
}

void refusals_clear(struct refusals *r)
{
	loop_defer_cancel(&r->work);
	forget(r);
}
