/*
 * The way to a server's UDP; see ss_udp_way.h.
 *
 * A socket is connected: errors come back, and the kernel remembers the route.
 * When sending fails for want of a route or of our address, the socket is made
 * again, to the name's next address if it has several (a laptop changed
 * networks). A change of address makes every way go anew at its next use, which
 * is what `generation` tells; so does a change of networks, where the kernel would
 * choose another source address now (io/network.h).
 *
 * Between us and the server there may be somebody who remembers our port: a
 * NAT, or a balancer whose instance has died, and no error comes back then. A
 * way that has answered and falls silent is made anew from another port, after
 * SILENCE_MS and then ever more seldom; where the server knows its clients by
 * session (SIP022), nobody notices.
 */
#include "outbound/ss_udp_way.h"

#include <errno.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "io/network.h"
#include "io/path.h"
#include "loop/loop.h"
#include "sys/uplink.h"

#define SOCKET_BUFFER (8u * 1024 * 1024)
#define RETRY_MS 1000
#define SILENCE_MS 1000
#define SILENCE_DOUBLINGS 6 /* about once a minute at last: who only sends is silent for ever */
#define IP6_UDP_HEADERS 48
#define FOLLOW_MS 10000 /* the cache knows how long an answer holds */

/* ---- where it is ---- */

static void use_address(struct ss_udp_place *p, int i)
{
	p->addr = p->found.addrs[i];
	p->addr.port = target_port(&p->server);
	p->generation++;
}

/* Stays with the address it has while the name still has it. */
static void take_addresses(struct ss_udp_place *p, const struct resolved *r)
{
	char text[ADDR_STRLEN];

	p->found = *r;
	for (int i = 0; i < r->n; i++)
		if (addr_ip_equal(&r->addrs[i], &p->addr))
			return;
	if (p->addr.family)
		log_info("the server's name has another address now, udp follows address=%s", addr_format(&r->addrs[0], text));
	use_address(p, 0);
}

/* The address does not work; the name may have others. */
static void try_next_address(struct ss_udp_place *p)
{
	for (int i = 0; i < p->found.n; i++) {
		if (addr_ip_equal(&p->found.addrs[i], &p->addr)) {
			if (p->found.n > 1)
				use_address(p, (i + 1) % p->found.n);
			return;
		}
	}
}

static void on_resolved(void *owner, const struct resolved *r)
{
	struct ss_udp_place *p = owner;
	char text[TARGET_STRLEN];

	p->query = NULL;
	if (r->n)
		take_addresses(p, r);
	else if (!p->addr.family)
		log_warn("the server's name does not resolve: udp waits server=%s", target_format(&p->server, text));
	p->located(p->owner, p->addr.family != 0);
}

static bool resolve_server(struct ss_udp_place *p)
{
	struct resolved r;

	if (!target_is_name(&p->server)) {
		p->addr = p->server.ip;
		return true;
	}
	p->network = network_number;
	if (p->query || (p->asked_ms && loop_now() - p->asked_ms < RETRY_MS))
		return p->addr.family != 0;
	p->asked_ms = loop_now();
	if (resolve_cached(p->server.name, p->server.name_len, &r) && r.n) {
		take_addresses(p, &r);
	} else {
		p->query = resolve_start(p->server.name, p->server.name_len, on_resolved, p);
	}
	return p->addr.family != 0;
}

bool ss_udp_place_known(struct ss_udp_place *p)
{
	if (p->via)
		return true;
	if (p->addr.family && !target_is_name(&p->server))
		return true;
	if (p->network != network_number)
		p->asked_ms = 0;
	else if (p->addr.family && loop_now() - p->asked_ms < FOLLOW_MS)
		return true;
	return resolve_server(p);
}

/* It may have moved: the name is asked for at the next use, and not from the cache. */
static void doubt_address(struct ss_udp_place *p)
{
	if (!target_is_name(&p->server))
		return;
	resolve_doubt(p->server.name, p->server.name_len);
	p->asked_ms = 0;
}

void ss_udp_place_free(struct ss_udp_place *p)
{
	if (p->query)
		resolve_cancel(p->query);
	p->query = NULL;
}

/* The app sees silence; the user may want to know. */
void ss_udp_place_note(struct ss_udp_place *p, int err, const struct addr *remote)
{
	char text[ADDR_STRLEN];

	if (err == ECONNREFUSED || err == EHOSTUNREACH)
		p->seen->udp_refusals++;
	if (err == ECONNREFUSED)
		log_warn("nobody listens on udp at the server %s: is it running, and does it carry udp (mode)?", addr_format(remote, text));
}

/* ---- the way ---- */

void ss_udp_way_close(struct ss_udp_way *w)
{
	if (w->socket)
		udp_socket_close(w->socket);
	if (w->via)
		datagram_end(w->via, END_DONE);
	w->socket = NULL;
	w->via = NULL;
}

static void obey_path(const struct ss_udp_place *p, struct ss_udp_way *w)
{
	uint16_t limit;
	int known;

	w->paths = path_number;
	w->hole = (struct ss_port_hole){ 0 };
	if (p->rules && p->rules->no_fragments)
		return;
	limit = path_limit_to_use(&p->addr);
	udp_socket_set_path(w->socket, limit);
	if (!limit || p->addr.family != AF_INET6)
		return;
	/* The kernel cuts what is longer than the path that it knows; shorter than that, but not only. */
	known = sys_uplink_mtu(&p->addr, p->rules);
	if (known > limit)
		w->hole = (struct ss_port_hole){ (uint16_t)(limit - IP6_UDP_HEADERS), (uint16_t)(known - IP6_UDP_HEADERS) };
}

static void open_socket(struct ss_udp_place *p, struct ss_udp_way *w, const struct udp_socket_events *events, void *owner)
{
	struct udp_socket_options o = { .connect = &p->addr, .rules = p->rules, .buffer = SOCKET_BUFFER };
	char text[ADDR_STRLEN];
	int err;

	w->generation = p->generation;
	w->network = network_number;
	w->socket = udp_socket_open(&o, events, owner, &err);
	if (w->socket) {
		obey_path(p, w);
		return;
	}
	log_warn("no udp socket to the server %s err=%s", addr_format(&p->addr, text), err_name(err));
	p->seen->udp_refusals++;
	try_next_address(p);
}

static void open_via(struct ss_udp_place *p, struct ss_udp_way *w, const struct datagram_events *events, void *owner)
{
	w->via = p->via->ops->port(p->via);
	if (w->via)
		datagram_bind(w->via, events, owner);
	else
		log_warn("no way for udp through %s", p->via->name);
}

/* Errors that a new socket may not have. */
static bool wants_new_socket(int err)
{
	return err == ENETUNREACH || err == EHOSTUNREACH || err == EADDRNOTAVAIL || err == EINVAL || err == ENODEV || err == ENETDOWN;
}

static bool fell_silent(const struct ss_udp_way *w)
{
	unsigned doublings = w->renewed < SILENCE_DOUBLINGS ? w->renewed : SILENCE_DOUBLINGS;

	return w->unanswered_ms && loop_now() - w->unanswered_ms >= (uint64_t)SILENCE_MS << doublings;
}

static void renew(struct ss_udp_place *p, struct ss_udp_way *w)
{
	log_debug("nothing comes back by udp: trying from another port");
	ss_udp_way_close(w);
	doubt_address(p);
	w->unanswered_ms = 0;
	if (w->renewed < UINT8_MAX)
		w->renewed++;
}

/* Another network: would a new socket leave from another address? Then the old one goes;
 * the kernel keeps a connected socket's source whatever becomes of it. */
static bool is_out_of_place(struct ss_udp_place *p, struct ss_udp_way *w)
{
	struct addr was = udp_socket_addr(w->socket), is = { 0 };
	int fd;

	w->network = network_number;
	fd = socket_rules_connect(&p->addr, SOCK_DGRAM, p->rules);
	if (fd < 0)
		return true;
	is = addr_of_socket(fd);
	close(fd);
	return !addr_ip_equal(&was, &is);
}

/* Closes a way that leads nowhere now; true if it may be opened anew at once. */
static bool check_socket(struct ss_udp_place *p, struct ss_udp_way *w, bool may_try)
{
	if (w->generation != p->generation || (w->network != network_number && is_out_of_place(p, w))) {
		ss_udp_way_close(w);
		return true;
	}
	if (w->paths != path_number)
		obey_path(p, w);
	if (may_try && wants_new_socket(udp_socket_take_error(w->socket))) {
		ss_udp_way_close(w);
		p->seen->udp_refusals++;
		try_next_address(p);
		resolve_server(p);
	}
	return may_try;
}

bool ss_udp_way_ready(struct ss_udp_place *p, struct ss_udp_way *w, const struct udp_socket_events *socket_events,
		      const struct datagram_events *via_events, void *owner)
{
	bool may_try = !w->tried_ms || loop_now() - w->tried_ms >= RETRY_MS;

	if (w->socket && fell_silent(w)) {
		renew(p, w);
		may_try = true;
	} else if (w->socket) {
		may_try = check_socket(p, w, may_try);
	}
	if (!w->socket && !w->via && may_try) {
		w->tried_ms = loop_now();
		if (p->via)
			open_via(p, w, via_events, owner);
		else
			open_socket(p, w, socket_events, owner);
	}
	if (w->answers && !w->unanswered_ms)
		w->unanswered_ms = loop_now();
	return w->socket || w->via;
}
