/*
 * The UDP port of a split outbound: one association whose datagrams go by
 * either way. The port of each way is opened when the first datagram wants it,
 * so an association that is all one kind costs what it costs without a split;
 * replies of both come back as they are.
 *
 * A way is decided once per target and remembered by a keyed hash of its name
 * or IP, in a table of KNOWN that is made when a second target comes; what
 * falls out is decided again. Datagrams for a name whose addresses decide wait
 * for them in order (udp_names.h). What is blocked is refused (refusals.h).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/list.h"
#include "io/datagram_counters.h"
#include "loop/loop.h"
#include "outbound/refusals.h"
#include "outbound/split_impl.h"
#include "outbound/udp_names.h"

#define KNOWN 64u
#define WAY_SIZE 32 /* for status; a longer name is cut */
#define WAYS 2 /* SPLIT_PROXY and SPLIT_DIRECT, which have ports */

struct known {
	uint64_t hash;
	enum split_way way;
};

struct split_port {
	struct datagram_port port;
	struct split *split;
	struct addr client; /* family 0: nobody's */
	struct datagram_port *ways[WAYS];
	char proxy_way[WAY_SIZE]; /* whose the first of them is */
	struct udp_names names;
	struct refusals blocked;
	struct known last, *more;
	unsigned generation; /* that they were decided by */
	enum split_way sending; /* of those that waited for a name, now */
	struct loop_work free_work;
	bool ended;
};

static struct split_port *of(struct datagram_port *port)
{
	return container_of(port, struct split_port, port);
}

/* ---- what was decided ---- */

static uint64_t hash_of(const struct target *t)
{
	return target_is_name(t) ? hash_bytes(t->name, t->name_len) : hash_bytes(t->ip.ip.bytes, addr_ip_len(&t->ip));
}

static void forget_old_rules(struct split_port *p)
{
	if (p->generation == p->split->generation)
		return;
	p->generation = p->split->generation;
	p->last.hash = 0;
	free(p->more);
	p->more = NULL;
}

static bool recall(struct split_port *p, uint64_t hash, enum split_way *way)
{
	const struct known *k = p->last.hash == hash ? &p->last : p->more ? &p->more[hash % KNOWN] : NULL;

	if (!k || k->hash != hash)
		return false;
	p->last = *k;
	*way = k->way;
	return true;
}

static void remember(struct split_port *p, uint64_t hash, enum split_way way)
{
	if (p->last.hash && !p->more)
		p->more = calloc(KNOWN, sizeof(*p->more)); /* without memory it is decided again */
	if (p->more) {
		if (p->last.hash)
			p->more[p->last.hash % KNOWN] = p->last;
		p->more[hash % KNOWN] = (struct known){ hash, way };
	}
	p->last = (struct known){ hash, way };
}

/* SPLIT_RESOLVE: it must wait. */
static enum split_way way_of(struct split_port *p, const struct target *t)
{
	uint64_t hash;
	enum split_way way;
	struct resolved found;

	if (target_is_name(t) && udp_names_pending(&p->names, t))
		return SPLIT_RESOLVE;
	hash = hash_of(t);
	if (recall(p, hash, &way))
		return way;
	way = split_decide(p->split, t);
	if (way == SPLIT_RESOLVE && resolve_cached(t->name, t->name_len, &found))
		way = split_decide_resolved(p->split, &found);
	if (way != SPLIT_RESOLVE)
		remember(p, hash, way);
	return way;
}

/* ---- back ---- */

static void on_receive(void *owner, const struct datagram *d, int n)
{
	struct split_port *p = owner;

	if (!p->ended)
		p->port.events->receive(p->port.owner, d, n);
}

static void on_ended(void *owner, enum flow_end why)
{
	struct split_port *p = owner;

	if (!p->ended)
		p->port.events->ended(p->port.owner, why);
}

static void on_refused(void *owner, const struct target *remote, enum flow_end why)
{
	struct split_port *p = owner;

	if (!p->ended)
		datagram_refused(&p->port, remote, why);
}

static const struct datagram_events way_events = { on_receive, on_ended, on_refused };

/* ---- out ---- */

static struct datagram_port *port_of(struct split_port *p, enum split_way way)
{
	struct outbound *via = split_via(p->split, way);
	struct datagram_port **port = &p->ways[way];

	if (*port)
		return *port;
	*port = p->client.family ? outbound_port(via, &p->client) : via->ops->port(via);
	if (*port)
		datagram_bind(*port, &way_events, p);
	if (*port && way == SPLIT_PROXY)
		snprintf(p->proxy_way, sizeof(p->proxy_way), "%s", outbound_way(via));
	return *port;
}

static void refuse(struct split_port *p, const struct datagram *d, int n, enum flow_end why)
{
	for (int i = 0; i < n; i++)
		refusals_add(&p->blocked, &p->port, d[i].remote, why);
}

static void send_by(struct split_port *p, enum split_way way, const struct datagram *d, int n)
{
	struct datagram_port *port;

	if (way == SPLIT_BLOCK) {
		datagram_counters.dropped_acl += (uint64_t)n;
		refuse(p, d, n, END_DENIED);
		return;
	}
	port = port_of(p, way);
	if (port) {
		datagram_send(port, d, n);
	} else {
		datagram_counters.dropped_queue += (uint64_t)n;
		refuse(p, d, n, END_LIMIT);
	}
}

static bool on_resolved(void *owner, const struct target *name, const struct resolved *found)
{
	struct split_port *p = owner;

	p->sending = split_decide_resolved(p->split, found);
	remember(p, hash_of(name), p->sending);
	return true;
}

static void send_waiting(void *owner, const struct datagram *d)
{
	struct split_port *p = owner;

	send_by(p, p->sending, d, 1);
}

static const struct udp_names_events names_events = { on_resolved, send_waiting };

static bool same_target(const struct datagram *a, const struct datagram *b)
{
	return a->remote == b->remote ||
	       (!target_is_name(a->remote) && !target_is_name(b->remote) && addr_ip_equal(&a->remote->ip, &b->remote->ip));
}

/* Runs that go the same way go in one call. */
static void split_send(struct datagram_port *port, const struct datagram *d, int n)
{
	struct split_port *p = of(port);
	enum split_way way = SPLIT_BLOCK, next;
	int from = 0;

	forget_old_rules(p);
	for (int i = 0; i < n; i++) {
		next = i && way != SPLIT_RESOLVE && same_target(&d[i - 1], &d[i]) ? way : way_of(p, d[i].remote);
		if (i > from && next != way) {
			send_by(p, way, d + from, i - from);
			from = i;
		}
		way = next;
		if (way == SPLIT_RESOLVE) {
			udp_names_wait(&p->names, &d[i]);
			from = i + 1;
		}
	}
	if (from < n)
		send_by(p, way, d + from, n - from);
}

/* ---- life ---- */

static void free_port(struct loop_work *w)
{
	struct split_port *p = container_of(w, struct split_port, free_work);

	split_release(p->split);
	free(p->more);
	free(p);
}

static void split_end(struct datagram_port *port, enum flow_end why)
{
	struct split_port *p = of(port);

	p->ended = true;
	for (int i = 0; i < WAYS; i++)
		if (p->ways[i])
			datagram_end(p->ways[i], why);
	udp_names_clear(&p->names);
	refusals_clear(&p->blocked);
	loop_defer(&p->free_work, free_port);
}

/* Of an association that uses both ways, both. */
static const char *split_way(const struct datagram_port *port)
{
	static char both[WAY_SIZE + 16];
	const struct split_port *p = container_of(port, struct split_port, port);
	const struct datagram_port *proxy = p->ways[SPLIT_PROXY];
	const char *by_proxy = !proxy ? NULL : proxy->ops->way ? proxy->ops->way(proxy) : p->proxy_way;

	if (!p->ways[SPLIT_DIRECT])
		return by_proxy ? by_proxy : "none";
	if (!by_proxy)
		return p->split->options.direct->name;
	snprintf(both, sizeof(both), "%s, %s", p->split->options.direct->name, by_proxy);
	return both;
}

static const struct datagram_port_ops port_ops = { .send = split_send, .end = split_end, .way = split_way };

struct datagram_port *split_udp_port(struct split *s, const struct addr *client)
{
	struct split_port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->port.ops = &port_ops;
	p->split = s;
	outbound_use(&s->uses);
	p->generation = s->generation;
	if (client)
		p->client = *client;
	udp_names_init(&p->names, &names_events, p);
	return &p->port;
}
