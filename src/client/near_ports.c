/*
 * The kernel's own sockets as the near end: rules of ours (gate/) bring what is
 * captured to a few ports of this machine, with the kernel's TCP in front.
 *
 *	TPROXY    ── redirect_tcp ──► the client's stream()
 *	          ── tproxy_udp ────► port(), port 53 and all
 *	REDIRECT  ── redirect_tcp ──► the client's stream()
 *	          ── queries, by ports of their own ── dns; no other UDP
 */
#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "client/client_names.h"
#include "client/near.h"
#include "client/outbounds.h"
#include "engine/common.h"
#include "inbound/redirect.h"
#include "inbound/tproxy_udp.h"
#include "io/socket_rules.h"

struct near_ports {
	struct near near;
	struct redirect_tcp *tcp[NEAR_PORTS_MAX];
	struct tproxy_udp *udp;
};

static struct near_ports *of(struct near *n)
{
	return container_of(n, struct near_ports, near);
}

/* ---- set-up ---- */

/* 0.0.0.0 beside :: wants sockets of its own. */
static void split_families(const struct near_options *o)
{
	if (o->n_listen < 2 || !addr_is_any(&o->listen[0]))
		return;
	socket_rules_split(SOCK_STREAM, o->listen[0].port);
	socket_rules_split(SOCK_STREAM, o->listen_dns[0].port);
	socket_rules_split(SOCK_DGRAM, o->listen_dns[0].port);
}

static int complain(const char *what, const struct addr *at, int err)
{
	char where[ADDR_STRLEN];

	log_error("cannot listen for %s at %s err=%s", what, addr_format(at, where), err_name(err));
	return -ECANCELED;
}

static int open_dns(const struct near_options *o, const struct inbound_events *events, void *owner, int i)
{
	int err = client_names_listen(&o->listen_dns[i], events, owner);

	return err ? complain("redirected queries", &o->listen_dns[i], err) : 0;
}

static int open_redirect(struct near_ports *p, const struct config *c, const struct near_options *o, const struct inbound_events *events,
			 void *owner)
{
	enum redirect_how how = o->kind == NEAR_TPROXY ? REDIRECT_TPROXY : REDIRECT_NAT;
	int err;

	for (int i = 0; i < o->n_listen; i++) {
		p->tcp[i] = redirect_tcp_new(&o->listen[i], how, c->outbound.fwmark, events, owner, &err);
		if (!p->tcp[i])
			return complain("redirected connections", &o->listen[i], err);
		err = o->kind == NEAR_REDIRECT && o->listen_dns[i].family ? open_dns(o, events, owner, i) : 0;
		if (err)
			return err;
	}
	return 0;
}

static int open_tproxy_udp(struct near_ports *p, const struct config *c, const struct near_options *o)
{
	int err;

	p->udp = tproxy_udp_new(o->listen, o->n_listen, c->outbound.fwmark, outbounds_udp_payload(c), &err);
	if (!p->udp)
		return complain("redirected datagrams", &o->listen[0], err);
	engine_keep_answers();
	return 0;
}

/* ---- as a near end ---- */

static struct datagram_port *port(struct near *n)
{
	return of(n)->udp ? tproxy_udp_port(of(n)->udp) : NULL;
}

static void change(struct near *n, const struct config *c)
{
	(void)n, (void)c; /* nothing of the config outlives the opening */
}

static void make_quiet(struct near *n)
{
	struct near_ports *p = of(n);

	for (int i = 0; i < NEAR_PORTS_MAX; i++) {
		if (p->tcp[i])
			redirect_tcp_free(p->tcp[i]);
		p->tcp[i] = NULL;
	}
}

static void free_port(struct near *n)
{
	struct near_ports *p = of(n);

	if (p->udp)
		tproxy_udp_free(p->udp);
	p->udp = NULL;
}

static void free_ports(struct near *n)
{
	engine_drain();
	free(of(n));
}

static uint64_t heard(const struct near *n)
{
	(void)n;
	return 0;
}

static const struct near_ops ops = {
	.port = port,
	.change = change,
	.quiet = make_quiet,
	.free_port = free_port,
	.free = free_ports,
	.heard = heard,
};

struct near *near_open_ports(const struct config *c, const struct near_options *o, const struct inbound_events *events, void *owner,
			     int *err)
{
	struct near_ports *p = calloc(1, sizeof(*p));

	*err = -ENOMEM;
	if (!p)
		return NULL;
	p->near.ops = &ops;
	split_families(o);
	*err = open_redirect(p, c, o, events, owner);
	if (!*err && o->kind == NEAR_TPROXY)
		*err = open_tproxy_udp(p, c, o);
	if (!*err)
		return &p->near;
	make_quiet(&p->near);
	free_port(&p->near);
	free_ports(&p->near);
	return NULL;
}
