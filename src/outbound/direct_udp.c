/*
 * The direct UDP port: what a server does for one association of a client.
 *
 * One unconnected socket per family, opened on first use, so that any remote
 * may answer (full cone). A datagram for an IP leaves at the end of the turn.
 * A datagram for a name goes to the address that the name had a moment ago
 * (`recent`), else to a cached one, else it waits, copied, with all later ones
 * for the same name, until the resolver answers: order per remote is kept, and
 * a slow name does not hold up the others. The wait is bounded by count and
 * bytes; what exceeds it is dropped and counted.
 *
 * Of a name's addresses the first that this machine has a route to is used,
 * and kept as long as the name still has it: a flow must not change its remote
 * because the resolver shuffles. A local address behind a name is refused like
 * one that came as an IP.
 */
#include "outbound/direct_udp.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/list.h"
#include "io/datagram_counters.h"
#include "io/udp_socket.h"
#include "loop/loop.h"
#include "outbound/guard.h"
#include "outbound/udp_waiting.h"
#include "resolve/resolve.h"

#define RECENT 4
#define RECENT_MS 1000
#define SOCKET_BUFFER (4u * 1024 * 1024)

/* A name being resolved, and what waits for it. */
struct pending {
	struct list node;
	struct direct_udp *port;
	struct resolve_query *query;
	struct list waiting; /* udp_waiting.h */
	struct target target;
	struct addr addr; /* once it is known; the port is each datagram's */
};

/* Where a name led lately. Port 0 in addr: the port is the datagram's. */
struct recent {
	uint64_t until_ms;
	struct addr addr;
	uint8_t name_len;
	char *name; /* owned */
};

struct direct_udp {
	struct datagram_port port;
	struct direct_udp_options options;
	struct udp_socket *v4, *v6;
	struct list pending;
	struct udp_waiting_budget budget;
	struct recent *recent; /* RECENT of them, once a name was used */
	int recent_next;
	struct loop_work free_work;
	bool ended;
};

/* ---- sockets ---- */

/* A batch of replies, in a pool buffer meanwhile. */
struct rx {
	struct datagram batch[UDP_RECEIVE_BATCH];
	struct target remotes[UDP_RECEIVE_BATCH];
};
static_assert(sizeof(struct rx) <= BUF_MEDIUM, "the scratch of a batch fits a pool buffer");

static void on_receive(void *owner, const struct udp_message *m, int n)
{
	struct direct_udp *p = owner;
	struct buf *scratch = p->ended ? NULL : buf_get(sizeof(struct rx));
	struct rx *rx;

	if (!scratch)
		return;
	rx = (struct rx *)(void *)scratch->data;
	for (int i = 0; i < n; i++) {
		target_from_addr(&rx->remotes[i], &m[i].peer);
		rx->batch[i] = (struct datagram){ .remote = &rx->remotes[i], .payload = m[i].payload, .segment = m[i].segment };
	}
	p->port.events->receive(p->port.owner, rx->batch, n);
	buf_unref(scratch);
}

static const struct udp_socket_events socket_events = { on_receive, NULL };

static uint32_t sockets; /* of all ports */

static uint32_t half_of_nofile(void)
{
	struct rlimit r;

	return getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur / 2 < UINT32_MAX ? (uint32_t)(r.rlim_cur / 2) : UINT32_MAX;
}

static struct udp_socket *socket_for(struct direct_udp *p, uint16_t family)
{
	struct udp_socket **s = family == AF_INET6 ? &p->v6 : &p->v4;
	struct udp_socket_options o = { .family = family, .rules = p->options.rules, .buffer = SOCKET_BUFFER };
	int err;

	if (*s)
		return *s;
	/* The table counts associations; the second family is over its count. */
	if ((p->v4 || p->v6) && sockets >= half_of_nofile())
		return NULL;
	*s = udp_socket_open(&o, &socket_events, p, &err);
	sockets += *s != NULL;
	return *s;
}

static void close_socket(struct udp_socket *s)
{
	if (!s)
		return;
	udp_socket_close(s);
	sockets--;
}

static void send_to(struct direct_udp *p, const struct addr *a, struct slice payload, uint16_t segment)
{
	struct udp_outgoing out = { .remote = a, .payload = payload, .segment = segment };
	struct udp_socket *s;

	if (!p->options.allow_local && guard_is_local(a)) {
		datagram_counters.dropped_acl++;
		return;
	}
	s = a->port ? socket_for(p, a->family) : NULL;
	if (s)
		udp_socket_send(s, &out);
	else
		datagram_counters.dropped_queue++;
}

/* ---- names ---- */

/* Asks the kernel's routing table; nothing leaves the machine. */
static bool has_route(const struct direct_udp *p, const struct addr *a, uint16_t port)
{
	struct addr to = *a;
	struct udp_socket_options o = { .connect = &to, .rules = p->options.rules };
	struct udp_socket *s;
	int err;

	to.port = port;
	s = udp_socket_open(&o, &socket_events, NULL, &err);
	if (s)
		udp_socket_close(s);
	return s || err == EMFILE || err == ENFILE;
}

static const struct addr *choose_addr(const struct direct_udp *p, const struct resolved *r, const struct addr *before, uint16_t port)
{
	for (int i = 0; before && i < r->n; i++)
		if (addr_ip_equal(&r->addrs[i], before))
			return &r->addrs[i];
	for (int i = 0; i < r->n; i++)
		if (has_route(p, &r->addrs[i], port))
			return &r->addrs[i];
	return r->n ? &r->addrs[0] : NULL;
}

static struct recent *find_recent(const struct direct_udp *p, const struct target *t)
{
	for (int i = 0; p->recent && i < RECENT; i++) {
		struct recent *r = &p->recent[i];
		if (r->name_len == t->name_len && memcmp(r->name, t->name, t->name_len) == 0)
			return r;
	}
	return NULL;
}

static struct recent *new_recent(struct direct_udp *p, const struct target *t)
{
	struct recent *r;
	char *name = malloc(t->name_len);

	if (!p->recent)
		p->recent = calloc(RECENT, sizeof(*p->recent));
	if (!p->recent || !name) {
		free(name);
		return NULL;
	}
	r = &p->recent[p->recent_next++ % RECENT];
	free(r->name);
	memcpy(name, t->name, t->name_len);
	r->name = name;
	r->name_len = t->name_len;
	return r;
}

/* Notes what the resolver said; false: the name has no address. */
static bool learn(struct direct_udp *p, const struct target *t, const struct resolved *found, struct addr *out)
{
	struct recent *r = find_recent(p, t);
	const struct addr *a = choose_addr(p, found, r ? &r->addr : NULL, target_port(t));

	if (!a)
		return false;
	*out = *a;
	out->port = target_port(t);
	if (!r)
		r = new_recent(p, t);
	if (r) {
		r->addr = *a;
		r->until_ms = loop_now() + RECENT_MS;
	}
	return true;
}

static void end_pending(struct pending *q)
{
	udp_waiting_drain(&q->waiting, &q->port->budget, NULL, NULL);
	list_remove(&q->node);
	free(q);
}

static void send_waiting(void *owner, const struct datagram *d)
{
	struct pending *q = owner;

	q->addr.port = target_port(d->remote);
	send_to(q->port, &q->addr, d->payload, d->segment);
}

static void on_resolved(void *owner, const struct resolved *found)
{
	struct pending *q = owner;

	q->query = NULL;
	if (learn(q->port, &q->target, found, &q->addr))
		udp_waiting_drain(&q->waiting, &q->port->budget, send_waiting, q);
	end_pending(q);
}

static struct pending *find_pending(const struct direct_udp *p, const struct target *t)
{
	list_for_each(it, &p->pending) {
		struct pending *q = container_of(it, struct pending, node);
		if (q->target.name_len == t->name_len && memcmp(q->target.name, t->name, t->name_len) == 0)
			return q;
	}
	return NULL;
}

static struct pending *ask(struct direct_udp *p, const struct target *t)
{
	struct pending *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->port = p;
	q->target = *t;
	list_init(&q->waiting);
	q->query = resolve_start(t->name, t->name_len, on_resolved, q);
	if (!q->query) {
		free(q);
		return NULL;
	}
	list_append(&p->pending, &q->node);
	return q;
}

static void send_to_name(struct direct_udp *p, const struct datagram *d)
{
	struct pending *q = list_empty(&p->pending) ? NULL : find_pending(p, d->remote);
	const struct recent *r = q ? NULL : find_recent(p, d->remote);
	struct resolved found;
	struct addr a;

	if (r && loop_now() < r->until_ms) {
		a = r->addr;
		a.port = target_port(d->remote);
		send_to(p, &a, d->payload, d->segment);
		return;
	}
	if (!q && resolve_cached(d->remote->name, d->remote->name_len, &found)) {
		if (learn(p, d->remote, &found, &a))
			send_to(p, &a, d->payload, d->segment);
		else
			datagram_counters.dropped_queue++;
		return;
	}
	if (!q)
		q = ask(p, d->remote);
	if (!q || !udp_waiting_push(&q->waiting, &p->budget, d))
		datagram_counters.dropped_queue++;
}

/* ---- the port ---- */

static struct direct_udp *of(struct datagram_port *port)
{
	return container_of(port, struct direct_udp, port);
}

static void direct_send(struct datagram_port *port, const struct datagram *d, int n)
{
	struct direct_udp *p = of(port);

	for (int i = 0; i < n; i++) {
		if (target_is_name(d[i].remote))
			send_to_name(p, &d[i]);
		else
			send_to(p, &d[i].remote->ip, d[i].payload, d[i].segment);
	}
}

static void free_port(struct loop_work *w)
{
	struct direct_udp *p = container_of(w, struct direct_udp, free_work);

	for (int i = 0; p->recent && i < RECENT; i++)
		free(p->recent[i].name);
	free(p->recent);
	free(p);
}

static void direct_end(struct datagram_port *port, enum flow_end why)
{
	struct direct_udp *p = of(port);

	(void)why;
	p->ended = true;
	close_socket(p->v4);
	close_socket(p->v6);
	p->v4 = p->v6 = NULL;
	while (!list_empty(&p->pending)) {
		struct pending *q = container_of(p->pending.next, struct pending, node);

		if (q->query)
			resolve_cancel(q->query);
		end_pending(q);
	}
	loop_defer(&p->free_work, free_port);
}

static const struct datagram_port_ops direct_ops = { .send = direct_send, .end = direct_end };

struct datagram_port *direct_udp_port(const struct direct_udp_options *o)
{
	struct direct_udp *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->port.ops = &direct_ops;
	p->options = *o;
	list_init(&p->pending);
	return &p->port;
}
