/*
 * UDP over TCP, the client's end.
 *
 *	IDLE ──a datagram──► DIALING ──opened──► OPEN
 *	  ▲                     │                  │
 *	  └──────failed─────────┴──────ended───────┘
 *
 * One stream per port, never shared: a datagram that is lost on the way delays
 * only those of its own association. While the stream is dialled datagrams wait,
 * bounded; when it fails they are dropped and counted. A stream that ended is
 * replaced when there is something to send, at most once in RETRY_MS: a server
 * that refuses is not asked for each datagram.
 */
#include "outbound/uot_port.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/log.h"
#include "io/datagram_counters.h"
#include "loop/loop.h"
#include "outbound/udp_waiting.h"
#include "proto/uot.h"
#include "transport/uot_link.h"

#define RETRY_MS 1000

struct uot_port {
	struct datagram_port port;
	struct outbound *via;
	void (*ended_fn)(void *owner);
	void *ended_owner;
	struct dial *dial;     /* DIALING */
	struct uot_link *link; /* OPEN */
	uint64_t tried_ms;     /* 0 = never */
	struct list waiting;
	struct udp_waiting_budget budget;
	struct loop_work free_work;
	bool ended;
};

static void drop(int n)
{
	datagram_counters.dropped_queue += (unsigned)n;
}

/* ---- the stream ---- */

static void on_receive(void *owner, const struct datagram *d, int n)
{
	struct uot_port *p = owner;

	p->via->seen.udp_heard_ms = loop_now(); /* its server's answer, by whatever way */
	p->port.events->receive(p->port.owner, d, n);
}

static void on_link_ended(void *owner, enum flow_end why)
{
	struct uot_port *p = owner;

	if (why != END_DONE)
		log_info("a stream of udp over tcp by %s broke: the next datagram opens another end=%s", p->via->name,
			 flow_end_name(why));
	uot_link_end(p->link, why);
	p->link = NULL;
}

static const struct uot_link_events link_events = { on_receive, on_link_ended };

static void send_waiting(void *owner, const struct datagram *d)
{
	uot_link_send(((struct uot_port *)owner)->link, d, 1);
}

static void on_opened(void *owner, struct stream *s)
{
	struct uot_port *p = owner;

	p->dial = NULL;
	p->link = uot_link_new(s, UOT_CLIENT, &link_events, p);
	if (!p->link)
		stream_end(s, END_LIMIT);
	udp_waiting_drain(&p->waiting, &p->budget, p->link ? send_waiting : NULL, p);
}

/* Its outbound has said why. */
static void on_failed(void *owner, enum flow_end why)
{
	struct uot_port *p = owner;

	(void)why;
	p->dial = NULL;
	p->via->seen.udp_refusals++;
	udp_waiting_drain(&p->waiting, &p->budget, NULL, NULL);
}

static const struct dial_events dial_events = { on_opened, on_failed };

/* True: it is being dialled. */
static bool dial(struct uot_port *p)
{
	struct target target;

	if (p->dial)
		return true;
	if (p->tried_ms && loop_now() - p->tried_ms < RETRY_MS)
		return false;
	p->tried_ms = loop_now();
	uot_target(&target);
	p->dial = p->via->ops->connect(p->via, &target, &dial_events, p);
	return p->dial != NULL;
}

/* ---- the port ---- */

static void port_send(struct datagram_port *port, const struct datagram *d, int n)
{
	struct uot_port *p = container_of(port, struct uot_port, port);

	if (p->link) {
		uot_link_send(p->link, d, n);
		return;
	}
	if (!dial(p)) {
		drop(n);
		return;
	}
	for (int i = 0; i < n; i++)
		if (!udp_waiting_push(&p->waiting, &p->budget, &d[i]))
			drop(1);
}

static void free_port(struct loop_work *w)
{
	free(container_of(w, struct uot_port, free_work));
}

static void port_end(struct datagram_port *port, enum flow_end why)
{
	struct uot_port *p = container_of(port, struct uot_port, port);

	(void)why;
	if (p->ended)
		return;
	p->ended = true;
	if (p->dial)
		p->via->ops->cancel(p->dial);
	if (p->link)
		uot_link_end(p->link, END_DONE);
	udp_waiting_drain(&p->waiting, &p->budget, NULL, NULL);
	loop_defer(&p->free_work, free_port);
	p->ended_fn(p->ended_owner);
}

static const struct datagram_port_ops port_ops = { .send = port_send, .end = port_end };

struct datagram_port *uot_port_new(struct outbound *via, void (*ended)(void *owner), void *owner)
{
	struct uot_port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->port.ops = &port_ops;
	p->via = via;
	p->ended_fn = ended;
	p->ended_owner = owner;
	list_init(&p->waiting);
	return &p->port;
}
