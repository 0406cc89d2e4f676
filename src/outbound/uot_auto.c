/*
 * A port before two ports.
 *
 *	UDP ──the breaker opens──► TCP
 *	  └──half-open──► BOTH ◄──half-open──┘
 *	                   └──the first answer──► that way
 *
 * BOTH: what is sent leaves by both ways, until an answer settles the port. The
 * remote may see a datagram twice, from two addresses, as it may in any network
 * that duplicates; the application hears one way alone. When TCP was first the
 * port waits VERDICT_MS for UDP, which has one round trip less and should have
 * been first, before it tells the breaker that UDP lost. At most RACERS_MAX
 * ports race at a time; the others take TCP meanwhile where UDP was silent before, else UDP.
 *
 * When the breaker opens, nothing has come by UDP for seconds on any port, so
 * all ports go over to TCP with the next datagram that they send, and none of them
 * loses what works.
 */
#include "outbound/uot_auto.h"

#include <stdlib.h>

#include "base/log.h"
#include "io/datagram_counters.h"
#include "loop/loop.h"

#define RACERS_MAX 4
#define RACE_MS 5000
#define VERDICT_MS 1000

struct auto_port {
	struct datagram_port port;
	struct uot_auto *both;
	struct datagram_port *udp, *tcp; /* NULL: not on this way */
	struct loop_timer race; /* armed: it counts among the racers */
	struct loop_work free_work;
	bool fresh;	 /* nothing was sent yet */
	bool settled;	 /* while racing: TCP answered, UDP has its last chance */
	bool ended;
};

static struct list all = { &all, &all };

/* ---- the breaker's word, and the log's ---- */

static void log_change(const struct uot_auto *a, enum breaker_state before)
{
	enum breaker_state now = (enum breaker_state)a->breaker.state;

	if (now == before || now == BREAKER_HALF_OPEN)
		return;
	if (now == BREAKER_CLOSED)
		log_info("server %s answers by udp: udp travels as it is", a->options.name);
	else
		log_warn("server %s does not answer by udp: udp travels in tcp streams, next try in %u s", a->options.name,
			 a->breaker.backoff_ms / 1000);
}

static void heard_udp(struct uot_auto *a)
{
	enum breaker_state before = (enum breaker_state)a->breaker.state;

	breaker_answered(&a->breaker);
	log_change(a, before);
}

static void heard_only_tcp(struct uot_auto *a, bool tcp)
{
	enum breaker_state before = (enum breaker_state)a->breaker.state;

	if (tcp)
		breaker_lost(&a->breaker, loop_now());
	else
		breaker_undecided(&a->breaker, loop_now());
	log_change(a, before);
}

static void note_sent(struct auto_port *p, int n)
{
	enum breaker_state before = (enum breaker_state)p->both->breaker.state;

	breaker_sent(&p->both->breaker, loop_now(), (uint32_t)n, p->fresh, *p->both->options.tcp_heard_ms);
	p->fresh = false;
	log_change(p->both, before);
}

/* ---- the two ways ---- */

static void leave(struct datagram_port **way)
{
	if (*way)
		datagram_end(*way, END_DONE);
	*way = NULL;
}

static void on_udp(void *owner, const struct datagram *d, int n);
static void on_tcp(void *owner, const struct datagram *d, int n);
static void on_udp_ended(void *owner, enum flow_end why);
static void on_tcp_ended(void *owner, enum flow_end why);
static const struct datagram_events udp_events = { on_udp, on_udp_ended, NULL }, tcp_events = { on_tcp, on_tcp_ended, NULL };

static bool enter_udp(struct auto_port *p)
{
	if (!p->udp && (p->udp = p->both->options.udp(p->both->options.owner)))
		datagram_bind(p->udp, &udp_events, p);
	return p->udp;
}

static bool enter_tcp(struct auto_port *p)
{
	if (!p->tcp && (p->tcp = p->both->options.tcp(p->both->options.owner)))
		datagram_bind(p->tcp, &tcp_events, p);
	return p->tcp;
}

/* ---- racing ---- */

static bool is_racing(const struct auto_port *p)
{
	return loop_timer_armed(&p->race);
}

static void end_race(struct auto_port *p)
{
	if (!is_racing(p))
		return;
	loop_timer_stop(&p->race);
	p->both->racers--;
	p->settled = false;
}

/* The time is up: what was heard decides. */
static void on_race_over(struct loop_timer *t)
{
	struct auto_port *p = container_of(t, struct auto_port, race);
	bool tcp = p->settled;

	p->both->racers--; /* the timer has fired: it is not armed any more */
	p->settled = false;
	heard_only_tcp(p->both, tcp);
	if (tcp || breaker_way(&p->both->breaker, loop_now()) != WAY_UDP)
		leave(&p->udp);
	else
		leave(&p->tcp);
}

static void race(struct auto_port *p)
{
	if (is_racing(p) || p->both->racers >= RACERS_MAX)
		return;
	if (!enter_udp(p) || !enter_tcp(p))
		return;
	p->both->racers++;
	loop_timer_start(&p->race, RACE_MS, on_race_over);
}

/* ---- answers ---- */

static void on_udp(void *owner, const struct datagram *d, int n)
{
	struct auto_port *p = owner;
	bool late = p->settled;

	heard_udp(p->both);
	if (p->ended)
		return;
	end_race(p);
	if (late) { /* TCP has brought it */
		leave(&p->udp);
		return;
	}
	leave(&p->tcp);
	p->port.events->receive(p->port.owner, d, n);
}

static void on_tcp(void *owner, const struct datagram *d, int n)
{
	struct auto_port *p = owner;

	if (p->ended)
		return;
	if (is_racing(p) && !p->settled) {
		p->settled = true;
		loop_timer_start(&p->race, VERDICT_MS, on_race_over);
	}
	p->port.events->receive(p->port.owner, d, n);
}

/* A way broke: the other one, if there is one; else the port with it. */
static void way_ended(struct auto_port *p, struct datagram_port **way, const struct datagram_port *other, enum flow_end why)
{
	end_race(p);
	leave(way);
	if (!other && !p->ended)
		p->port.events->ended(p->port.owner, why);
}

static void on_udp_ended(void *owner, enum flow_end why)
{
	struct auto_port *p = owner;

	way_ended(p, &p->udp, p->tcp, why);
}

static void on_tcp_ended(void *owner, enum flow_end why)
{
	struct auto_port *p = owner;

	way_ended(p, &p->tcp, p->udp, why);
}

/* ---- the port ---- */

/* Puts the port on the way that the breaker names. */
static void choose(struct auto_port *p)
{
	enum breaker_way way = breaker_way(&p->both->breaker, loop_now());

	if (is_racing(p))
		return;
	if (way == WAY_BOTH)
		race(p);
	if (is_racing(p) || (way == WAY_UDP && (p->udp || p->tcp)))
		return;
	if (way == WAY_TCP || (way == WAY_BOTH && p->both->breaker.was_open)) {
		if (enter_tcp(p))
			leave(&p->udp);
	} else if (!p->tcp) {
		enter_udp(p);
	}
}

static void auto_send(struct datagram_port *port, const struct datagram *d, int n)
{
	struct auto_port *p = container_of(port, struct auto_port, port);

	if (p->udp)
		note_sent(p, n);
	choose(p);
	if (p->udp && !p->settled)
		datagram_send(p->udp, d, n);
	if (p->tcp)
		datagram_send(p->tcp, d, n);
	if (!p->udp && !p->tcp)
		datagram_counters.dropped_queue += (unsigned)n;
}

static void free_port(struct loop_work *w)
{
	free(container_of(w, struct auto_port, free_work));
}

static void auto_end(struct datagram_port *port, enum flow_end why)
{
	struct auto_port *p = container_of(port, struct auto_port, port);

	(void)why;
	if (p->ended)
		return;
	p->ended = true;
	end_race(p);
	leave(&p->udp);
	leave(&p->tcp);
	loop_defer(&p->free_work, free_port);
	p->both->options.ended(p->both->options.owner);
}

static const struct datagram_port_ops auto_ops = { .send = auto_send, .end = auto_end };

struct datagram_port *uot_auto_port(struct uot_auto *a)
{
	struct auto_port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->port.ops = &auto_ops;
	p->both = a;
	p->fresh = true;
	choose(p);
	if (p->udp || p->tcp)
		return &p->port;
	free(p);
	return NULL;
}

/* ---- life ---- */

void uot_auto_init(struct uot_auto *a, const struct uot_auto_options *o)
{
	*a = (struct uot_auto){ .options = *o };
	breaker_init(&a->breaker);
	list_init(&a->node);
	list_append(&all, &a->node);
}

void uot_auto_end(struct uot_auto *a)
{
	list_remove(&a->node);
}

void uot_auto_each(void (*fn)(void *owner, const struct uot_auto *), void *owner)
{
	list_for_each (it, &all)
		fn(owner, container_of(it, struct uot_auto, node));
}
