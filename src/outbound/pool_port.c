/*
 * An association through the pool: a port that hands everything to a port of the
 * server chosen, and goes to another server with the next packet when that one
 * proves dead. It does so when, since the association has last heard anything,
 *
 *	the network said that nobody takes datagrams there (ICMP, no route),
 *	a probe or another association found the server dead, or
 *	SILENCE_MS have passed in which several datagrams went out and nobody at
 *	all heard from this server.
 *
 * The last is a guess, for one-way traffic is silent too: each move doubles the
 * patience, up to a minute. A move changes the address that remotes see, like a
 * phone that changes networks. With one server that carries UDP there is nothing
 * to choose and its own port is handed out.
 */
#include <stdlib.h>

#include "io/datagram_counters.h"
#include "outbound/pool_impl.h"
#include "outbound/refusals.h"

#define SILENCE_MS 5000u
#define SILENCE_MAX_MS 60000u
#define SILENCE_SENT 3u

struct pool_port {
	struct datagram_port port;
	struct pool *pool;
	struct pool_member *member; /* held; NULL: none */
	struct datagram_port *under;
	struct addr client;
	/* what was known of the server when the association last heard anything, or entered */
	uint32_t refusals, failed;
	uint64_t asking_ms;	/* the first datagram since then; 0: none */
	uint32_t sent;		/* and how many */
	uint32_t patience_ms;
	struct refusals refused;
	struct loop_work free_work;
	bool ended;
};

/* What is held against the server up to now is forgiven. */
static void forgive(struct pool_port *p)
{
	p->refusals = p->member->outbound->seen.udp_refusals;
	p->failed = p->member->stat[POOL_UDP].failed;
	p->asking_ms = 0;
	p->sent = 0;
}

static void leave(struct pool_port *p)
{
	if (p->under)
		datagram_end(p->under, END_DONE);
	if (p->member)
		pool_member_release(p->member);
	p->under = NULL;
	p->member = NULL;
}

/* ---- what the server's port says ---- */

static void on_receive(void *owner, const struct datagram *d, int n)
{
	struct pool_port *p = owner;

	if (p->ended)
		return;
	if (p->asking_ms)
		pool_member_succeeded(p->member, POOL_UDP, (uint32_t)(loop_now() - p->asking_ms));
	forgive(p);
	p->patience_ms = SILENCE_MS;
	p->port.events->receive(p->port.owner, d, n);
}

static void on_ended(void *owner, enum flow_end why)
{
	struct pool_port *p = owner;

	(void)why;
	pool_member_failed(p->member, POOL_UDP);
	leave(p);
}

static void on_refused(void *owner, const struct target *remote, enum flow_end why)
{
	struct pool_port *p = owner;

	if (!p->ended)
		datagram_refused(&p->port, remote, why);
}

static const struct datagram_events under_events = { on_receive, on_ended, on_refused };

/* ---- staying and moving ---- */

static bool is_dead(const struct pool_port *p)
{
	const struct outbound_seen *seen = &p->member->outbound->seen;
	const struct pool_stat *stat = &p->member->stat[POOL_UDP];
	uint64_t now = loop_now();

	if (seen->udp_refusals != p->refusals || (stat->failures && stat->failed != p->failed))
		return true;
	return p->asking_ms && p->sent >= SILENCE_SENT && now - p->asking_ms >= p->patience_ms && seen->udp_heard_ms < p->asking_ms;
}

/* To the first choice that is not where we come from; back there if there is no other. */
static void enter(struct pool_port *p, const struct pool_member *except)
{
	struct pool_member *order[p->pool->n];
	int n = pool_choose(p->pool, POOL_UDP, p->client.family ? &p->client : NULL, order);

	for (int i = 0; i < n && !p->under; i++) {
		if (order[i] == except && n > 1)
			continue;
		p->under = order[i]->outbound->ops->port(order[i]->outbound);
		if (!p->under)
			continue;
		p->member = pool_member_hold(order[i]);
		datagram_bind(p->under, &under_events, p);
	}
	if (p->under)
		forgive(p);
}

static void move(struct pool_port *p)
{
	struct pool_member *from = p->member;

	if (from) {
		/* once for all associations that find it so */
		if (from->stat[POOL_UDP].failed == p->failed)
			pool_member_failed(from, POOL_UDP);
		pool_member_hold(from);
		leave(p);
	}
	enter(p, from);
	if (from)
		pool_member_release(from);
	p->patience_ms = p->patience_ms < SILENCE_MAX_MS / 2 ? p->patience_ms * 2 : SILENCE_MAX_MS;
}

static void port_send(struct datagram_port *port, const struct datagram *d, int n)
{
	struct pool_port *p = container_of(port, struct pool_port, port);

	if (!p->under || is_dead(p))
		move(p);
	if (!p->under) {
		datagram_counters.dropped_queue += (unsigned)n;
		for (int i = 0; i < n; i++)
			refusals_add(&p->refused, &p->port, d[i].remote, END_UNREACHABLE);
		return;
	}
	if (!p->asking_ms)
		p->asking_ms = loop_now();
	p->sent += (unsigned)n;
	datagram_send(p->under, d, n);
}

static void free_port(struct loop_work *w)
{
	free(container_of(w, struct pool_port, free_work));
}

static void port_end(struct datagram_port *port, enum flow_end why)
{
	struct pool_port *p = container_of(port, struct pool_port, port);

	(void)why;
	p->ended = true;
	leave(p);
	refusals_clear(&p->refused);
	loop_defer(&p->free_work, free_port);
}

static const char *port_way(const struct datagram_port *port)
{
	const struct pool_port *p = container_of(port, struct pool_port, port);

	return p->member ? p->member->outbound->name : "none";
}

static const struct datagram_port_ops port_ops = { .send = port_send, .end = port_end, .way = port_way };

static int count_able(const struct pool *p, struct pool_member **only)
{
	int n = 0;

	for (int i = 0; i < p->n; i++) {
		if (!p->members[i]->weight[POOL_UDP])
			continue;
		*only = p->members[i];
		n++;
	}
	return n;
}

struct datagram_port *pool_port(struct outbound *o, const struct addr *client)
{
	struct pool *pool = container_of(o, struct pool, outbound);
	struct pool_member *only = NULL;
	int n = count_able(pool, &only);
	struct pool_port *p;

	o->chosen = n ? outbound_way(only->outbound) : NULL;
	if (n <= 1)
		return n ? only->outbound->ops->port(only->outbound) : NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->port.ops = &port_ops;
	p->pool = pool;
	p->patience_ms = SILENCE_MS;
	if (client)
		p->client = *client;
	enter(p, NULL);
	if (!p->under) {
		free(p);
		return NULL;
	}
	return &p->port;
}
