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
 * one that came as an IP; what the filter denies is none of a name's addresses,
 * and a name that it denies is not asked for. A verdict is kept as long as what
 * it is about: with the recent name, with the last address.
 *
 * What the network or a rule refuses is told to the owner (refusals.h).
 */
#include "outbound/direct_udp.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/datagram_counters.h"
#include "io/udp_socket.h"
#include "loop/loop.h"
#include "outbound/guard.h"
#include "outbound/refusals.h"
#include "outbound/udp_names.h"

#define RECENT 4
#define RECENT_MS 1000
#define SOCKET_BUFFER (4u * 1024 * 1024)

/* Where a name led lately. Port 0 in addr: the port is the datagram's. */
struct recent {
	uint64_t until_ms;
	struct addr addr; /* family 0: it may not be reached */
	uint8_t name_len;
	char *name; /* owned */
};

struct direct_udp {
	struct datagram_port port;
	struct direct_udp_options options;
	struct udp_socket *v4, *v6;
	struct udp_names names; /* under way */
	struct refusals refused;
	struct addr allowed;	/* the last address that the filter was asked about and let pass */
	struct addr sending;	/* where those that waited for a name go now */
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

static void refuse(struct direct_udp *p, const struct addr *a, enum flow_end why)
{
	struct target t;

	target_from_addr(&t, a);
	refusals_add(&p->refused, &p->port, &t, why);
}

static bool is_final(int err)
{
	return err == ECONNREFUSED || err == EHOSTUNREACH || err == ENETUNREACH || err == EACCES || err == EPERM;
}

/* What the network said (a closed port, ICMP), or our own routing table. */
static void on_error(void *owner, int err, const struct addr *remote)
{
	struct direct_udp *p = owner;

	if (!p->ended && remote->family && is_final(err))
		refuse(p, remote, flow_end_of_connect(err));
}

static const struct udp_socket_events socket_events = { on_receive, on_error };
static const struct udp_socket_events trial_events = { on_receive, NULL };

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
		refuse(p, a, END_DENIED);
		return;
	}
	s = a->port ? socket_for(p, a->family) : NULL;
	if (s) {
		udp_socket_send(s, &out);
	} else {
		datagram_counters.dropped_queue++;
		refuse(p, a, END_LIMIT);
	}
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
	s = udp_socket_open(&o, &trial_events, NULL, &err);
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
	return &r->addrs[0];
}

/* Those of a name's addresses that the filter lets pass. */
static struct resolved reachable(const struct direct_udp *p, const struct resolved *found, bool named)
{
	struct resolved out = { .n = 0 };

	for (int i = 0; i < found->n; i++)
		if (!filter_denies_addr(p->options.filter, &found->addrs[i], named))
			out.addrs[out.n++] = found->addrs[i];
	return out;
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

static void note(struct direct_udp *p, const struct target *t, const struct addr *a)
{
	struct recent *r = find_recent(p, t);

	if (!r)
		r = new_recent(p, t);
	if (!r)
		return;
	r->addr = *a;
	r->until_ms = loop_now() + RECENT_MS;
}

/* Notes what the resolver said: p->sending is where the name leads, or nowhere
 * if the filter leaves nothing of it. False: the name has no address. */
static bool learn(struct direct_udp *p, const struct target *t, const struct resolved *found)
{
	const struct recent *before = find_recent(p, t);
	struct resolved left;
	bool named;

	if (!found->n)
		return false;
	if (filter_denies_name(p->options.filter, t, &named))
		left.n = 0;
	else
		left = reachable(p, found, named);
	p->sending = left.n ? *choose_addr(p, &left, before ? &before->addr : NULL, target_port(t)) : (struct addr){ 0 };
	note(p, t, &p->sending);
	return true;
}

/* To p->sending, at the datagram's own port. */
static void send_there(void *owner, const struct datagram *d)
{
	struct direct_udp *p = owner;

	if (!p->sending.family) {
		datagram_counters.dropped_acl++;
		refusals_add(&p->refused, &p->port, d->remote, END_DENIED);
		return;
	}
	p->sending.port = target_port(d->remote);
	send_to(p, &p->sending, d->payload, d->segment);
}

static bool on_resolved(void *owner, const struct target *name, const struct resolved *found)
{
	struct direct_udp *p = owner;

	if (learn(p, name, found))
		return true;
	refusals_add(&p->refused, &p->port, name, END_NAME);
	return false;
}

static const struct udp_names_events names_events = { on_resolved, send_there };

/* A name that the filter denies is not asked for; that is kept, too. */
static bool is_denied(struct direct_udp *p, const struct target *t)
{
	static const struct addr nowhere;
	bool named;

	if (!filter_denies_name(p->options.filter, t, &named))
		return false;
	p->sending = nowhere;
	note(p, t, &nowhere);
	return true;
}

static void send_to_name(struct direct_udp *p, const struct datagram *d)
{
	const struct recent *r;
	struct resolved found;

	if (udp_names_pending(&p->names, d->remote)) {
		udp_names_wait(&p->names, d);
		return;
	}
	r = find_recent(p, d->remote);
	if (r && loop_now() < r->until_ms) {
		p->sending = r->addr;
		send_there(p, d);
	} else if (is_denied(p, d->remote)) {
		send_there(p, d);
	} else if (!resolve_cached(d->remote->name, d->remote->name_len, &found)) {
		udp_names_wait(&p->names, d);
	} else if (on_resolved(p, d->remote, &found)) {
		send_there(p, d);
	} else {
		datagram_counters.dropped_queue++;
	}
}

static void send_to_ip(struct direct_udp *p, const struct datagram *d)
{
	const struct addr *a = &d->remote->ip;

	if (filter_is_on(p->options.filter) && !addr_ip_equal(a, &p->allowed)) {
		if (filter_denies_addr(p->options.filter, a, false)) {
			datagram_counters.dropped_acl++;
			refuse(p, a, END_DENIED);
			return;
		}
		p->allowed = *a;
	}
	send_to(p, a, d->payload, d->segment);
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
			send_to_ip(p, &d[i]);
	}
}

static void free_port(struct loop_work *w)
{
	struct direct_udp *p = container_of(w, struct direct_udp, free_work);

	for (int i = 0; p->recent && i < RECENT; i++)
		free(p->recent[i].name);
	free(p->recent);
	if (p->options.ended)
		p->options.ended(p->options.owner);
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
	udp_names_clear(&p->names);
	refusals_clear(&p->refused);
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
	udp_names_init(&p->names, &names_events, p);
	return &p->port;
}
