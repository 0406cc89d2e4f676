/*
 * `gatun local`: the inbounds that the config names, behind all of them one
 * Shadowsocks outbound.
 *
 *	socks, http, mixed ── tcp ── relay ───────┐
 *	                   ── udp ── assoc table ─┴── route ── shadowsocks, direct
 *	tunnel ── tcp, udp ── the same
 *
 * An association table belongs to each UDP socket; when the control connection
 * of a SOCKS5 association closes, the table is told to end it.
 */
#include "engine/local.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "conf/local.h"
#include "engine/client_route.h"
#include "engine/common.h"
#include "engine/engine.h"
#include "engine/status.h"
#include "engine/status_client.h"
#include "engine/outbounds.h"
#include "engine/worker.h"
#include "engine/workers.h"
#include "flow/assoc.h"
#include "flow/relay.h"
#include "inbound/mixed.h"
#include "inbound/tunnel.h"
#include "loop/loop.h"

struct endpoint {
	struct local *local;
	struct client_route *route;
	struct mixed *mixed;
	struct socks_udp *socks_udp;
	struct tunnel_tcp *tunnel_tcp;
	struct tunnel_udp *tunnel_udp;
	struct assoc_table *associations;
};

struct local {
	const struct config *config;
	struct outbound *shadowsocks;
	struct limits *limits; /* of each client, at all inbounds together */
	struct endpoint *endpoints;
};

static enum flow_end on_admit(void *owner, const struct addr *client)
{
	return limits_admit(((struct endpoint *)owner)->local->limits, client);
}

static void on_stream(void *owner, struct stream *s, const struct addr *client, const struct target *target)
{
	struct endpoint *e = owner;
	struct limits_party party = { .client = *client };

	relay_start_limited(s, client, target, client_route_outbound(e->route), e->local->limits, &party);
}

static const struct inbound_events inbound_events = { .admit = on_admit, .stream = on_stream };

static enum flow_end on_association(void *owner, const struct assoc_key *key, struct limits_flow **limit)
{
	struct limits_party party = { .client = key->addr };

	return limits_open(((struct local *)owner)->limits, &party, limit);
}

static void on_association_closed(void *owner, const struct assoc_key *key)
{
	assoc_table_end(owner, key, END_DONE);
}

static int open_associations(struct local *l, struct endpoint *e, struct datagram_port *in)
{
	struct assoc_limits limits = engine_assoc_limits(l->config, engine_outbound_method(l->config));

	e->associations = assoc_table_new(in, client_route_outbound(e->route), &limits);
	if (!e->associations)
		return ENOMEM;
	assoc_table_limit(e->associations, on_association, l);
	return 0;
}

/* Datagrams must come to the worker that has their control connection: each has a
 * port of its own, of which clients are told; the first has the one of the config. */
static struct addr socks_udp_address(const struct config_local *c)
{
	struct addr at = c->listen_udp;

	if (worker_index() > 0)
		at.port = 0;
	return at;
}

static int open_socks_udp(struct local *l, struct endpoint *e, const struct config_local *c)
{
	struct addr at = socks_udp_address(c);
	int err;

	e->socks_udp = socks_udp_new(&at, &err);
	if (!e->socks_udp)
		return err;
	err = open_associations(l, e, socks_udp_port(e->socks_udp));
	if (!err)
		socks_udp_on_close(e->socks_udp, on_association_closed, e->associations);
	return err;
}

static int open_mixed(struct local *l, struct endpoint *e, const struct config_local *c, bool udp)
{
	struct mixed_options options = {
		.listen = c->listen,
		.socks = c->protocol != LOCAL_HTTP,
		.http = c->protocol != LOCAL_SOCKS,
		.tcp = c->mode & MODE_TCP_ONLY,
		.udp_told = c->udp_told,
		.socks_users = &c->socks_users,
		.http_users = &c->http_users,
		.handshake_s = l->config->timeout,
	};
	int err = options.socks && udp ? open_socks_udp(l, e, c) : 0;

	if (err)
		return err;
	options.udp = e->socks_udp;
	e->mixed = mixed_new(&options, &inbound_events, e, &err);
	return e->mixed ? 0 : err;
}

static int open_tunnel(struct local *l, struct endpoint *e, const struct config_local *c, bool udp)
{
	int err = 0;

	if (c->mode & MODE_TCP_ONLY)
		e->tunnel_tcp = tunnel_tcp_new(&c->listen, &c->forward, &inbound_events, e, &err);
	if (err)
		return err;
	if (udp)
		e->tunnel_udp = tunnel_udp_new(&c->listen_udp, &c->forward, &err);
	if (err)
		return err;
	return udp ? open_associations(l, e, tunnel_udp_port(e->tunnel_udp)) : 0;
}

static int open_endpoint(struct local *l, struct endpoint *e, const struct config_local *c)
{
	bool udp = (c->mode & MODE_UDP_ONLY) && (c->acl || engine_outbound_carries(l->config, MODE_UDP_ONLY));
	char where[ADDR_STRLEN], to[TARGET_STRLEN];
	int err;

	e->local = l;
	e->route = client_route_new(l->config, c->acl, l->shadowsocks, true);
	if (!e->route)
		return -EINVAL;
	err = c->protocol == LOCAL_TUNNEL ? open_tunnel(l, e, c, udp) : open_mixed(l, e, c, udp);

	addr_format(&c->listen, where);
	if (err) {
		log_error("cannot listen on %s: %s err=%s", where,
			  err == EADDRINUSE	 ? "another program has this port"
			  : err == EACCES	 ? "ports below 1024 need root"
			  : err == EADDRNOTAVAIL ? "this machine has no such address"
						 : "the system said no",
			  err_name(err));
		return -err;
	}
	if (c->protocol == LOCAL_TUNNEL)
		log_info("listening on %s protocol=tunnel to=%s", where, target_format(&c->forward, to));
	else
		log_info("listening on %s protocol=%s udp=%s", where, local_protocol_name(c->protocol), e->socks_udp ? "yes" : "no");
	return 0;
}

struct local *local_open(const struct config *config)
{
	struct limits_rates rates = engine_limits_rates(&config->limits);
	struct local *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->config = config;
	l->limits = limits_new(&rates);
	engine_status_add_locals(&l->config);
	l->shadowsocks = engine_outbound_new(config);
	l->endpoints = calloc((size_t)config->n_locals, sizeof(*l->endpoints));
	if (!l->shadowsocks || !l->endpoints || !l->limits) {
		log_error("out of memory");
		local_close(l);
		return NULL;
	}
	for (int i = 0; i < config->n_locals; i++) {
		if (open_endpoint(l, &l->endpoints[i], &config->locals[i]) != 0) {
			local_close(l);
			return NULL;
		}
	}
	return l;
}

static void close_endpoint(struct endpoint *e)
{
	if (e->mixed)
		mixed_free(e->mixed);
	if (e->tunnel_tcp)
		tunnel_tcp_free(e->tunnel_tcp);
	if (e->associations)
		assoc_table_free(e->associations);
	if (e->socks_udp)
		socks_udp_free(e->socks_udp);
	if (e->tunnel_udp)
		tunnel_udp_free(e->tunnel_udp);
}

void local_close(struct local *l)
{
	relay_free(); /* first: guests that the relay has belong to an inbound */
	for (int i = 0; l->endpoints && i < l->config->n_locals; i++)
		close_endpoint(&l->endpoints[i]);
	engine_drain();
	for (int i = 0; l->endpoints && i < l->config->n_locals; i++)
		client_route_free(l->endpoints[i].route);
	if (l->shadowsocks)
		engine_outbound_free(l->shadowsocks);
	engine_drain();
	limits_free(l->limits);
	free(l->endpoints);
	free(l);
}

static int run_local(const struct config *config)
{
	struct local *l;
	int err = engine_start(config);

	if (err)
		return 1;
	engine_status_set_mode("local");
	engine_stop_on_signals();
	l = local_open(config);
	err = l ? engine_drop_privileges(config) : -1;
	if (!err)
		err = engine_await_plugins();
	if (!err)
		engine_loop();
	if (l)
		local_close(l);
	if (!err)
		engine_log_summary();
	engine_end();
	return err ? 1 : 0;
}

int engine_local(const struct config *config)
{
	static const struct workers_plan plan = { .mode = "local", .run = run_local };

	return workers_wanted(config) > 1 ? workers_run(config, &plan) : run_local(config);
}
