/*
 * One inbound: a listener that speaks SOCKS, HTTP or both, or a tunnel, or one to which rules
 * redirect; beside it a UDP socket with its association table. All of them leave by one route.
 *
 * When a config takes it away its listener goes at once, and its streams go on. Those
 * of a mixed inbound are that inbound's guests: so it stays in memory, retired, until the last
 * of them is gone. What a dial holds of its route looks after itself (client_route.c).
 */
#include "client/local_inbound.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "client/client_route.h"
#include "client/local_dns.h"
#include "client/outbounds.h"
#include "conf/local.h"
#include "dns/dns.h"
#include "engine/common.h"
#include "engine/worker.h"
#include "flow/assoc.h"
#include "flow/relay.h"
#include "inbound/dns_listener.h"
#include "inbound/mixed.h"
#include "inbound/redirect.h"
#include "inbound/tproxy_udp.h"
#include "inbound/tunnel.h"
#include "loop/loop.h"

/* ---- who comes ---- */

static enum flow_end on_admit(void *owner, const struct addr *client)
{
	return limits_admit(((struct local_inbound *)owner)->common->limits, client);
}

static void on_stream(void *owner, struct stream *s, const struct addr *client, const struct target *target)
{
	struct local_inbound *i = owner;
	struct limits_party party = { .client = *client };
	struct target name;

	if (dns_name_of(target, &name) == DNS_REFUSE) {
		flow_counters.tcp.ended[END_NAME]++;
		stream_end(s, END_REFUSED);
		return;
	}
	relay_start_limited(s, client, &name, client_route_outbound(i->route), i->common->limits, &party);
}

static const struct inbound_events inbound_events = { .admit = on_admit, .stream = on_stream };

static enum flow_end on_association(void *owner, const struct assoc_key *key, struct limits_flow **limit)
{
	struct limits_party party = { .client = key->addr };

	return limits_open(((struct local_inbound *)owner)->common->limits, &party, limit);
}

static void on_association_closed(void *owner, const struct assoc_key *key)
{
	assoc_table_end(owner, key, END_DONE);
}

/* ---- its parts ---- */

static struct assoc_limits assoc_limits(const struct local_common *o)
{
	return engine_assoc_limits(o->config, outbounds_method(o->config));
}

static int open_associations(struct local_inbound *i, struct datagram_port *in)
{
	struct assoc_limits limits = assoc_limits(i->common);

	i->udp_port = dns_udp_names(in);
	if (!i->udp_port)
		return ENOMEM;
	i->associations = assoc_table_new(i->udp_port, client_route_outbound(i->route), &limits);
	if (!i->associations)
		return ENOMEM;
	assoc_table_limit(i->associations, on_association, i);
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

static int open_socks_udp(struct local_inbound *i, const struct config_local *c)
{
	struct addr at = socks_udp_address(c);
	int err;

	i->socks_udp = socks_udp_new(&at, &err);
	if (!i->socks_udp)
		return err;
	err = open_associations(i, socks_udp_port(i->socks_udp));
	if (!err)
		socks_udp_on_close(i->socks_udp, on_association_closed, i->associations);
	return err;
}

static int open_mixed(struct local_inbound *i, const struct config_local *c)
{
	struct mixed_options options = {
		.listen = c->listen,
		.socks = c->protocol != LOCAL_HTTP,
		.http = c->protocol != LOCAL_SOCKS,
		.tcp = c->mode & MODE_TCP_ONLY,
		.udp_told = c->udp_told,
		.socks_users = &c->socks_users,
		.http_users = &c->http_users,
		.handshake_s = i->common->config->timeout,
	};
	int err = options.socks && i->udp ? open_socks_udp(i, c) : 0;

	if (err)
		return err;
	options.udp = i->socks_udp;
	i->mixed = mixed_new(&options, &inbound_events, i, &err);
	return i->mixed ? 0 : err;
}

static int open_tunnel(struct local_inbound *i, const struct config_local *c)
{
	int err = 0;

	if (c->mode & MODE_TCP_ONLY)
		i->tunnel_tcp = tunnel_tcp_new(&c->listen, &c->forward, &inbound_events, i, &err);
	if (err || !i->udp)
		return err;
	i->tunnel_udp = tunnel_udp_new(&c->listen_udp, &c->forward, &err);
	return err ? err : open_associations(i, tunnel_udp_port(i->tunnel_udp));
}

static int open_redir(struct local_inbound *i, const struct config_local *c)
{
	enum redirect_how how = c->tcp_redir == REDIR_TPROXY ? REDIRECT_TPROXY : REDIRECT_NAT;
	int err = 0;

	if (c->mode & MODE_TCP_ONLY)
		i->redirect_tcp = redirect_tcp_new(&c->listen, how, i->mark, &inbound_events, i, &err);
	if (err || !i->udp)
		return err;
	i->tproxy_udp = tproxy_udp_new(&c->listen_udp, 1, i->mark, outbounds_udp_payload(i->common->config), &err);
	if (err)
		return err;
	engine_keep_answers();
	return open_associations(i, tproxy_udp_port(i->tproxy_udp));
}

static int open_dns(struct local_inbound *i, const struct config_local *c)
{
	int err;

	i->dns = local_dns_new(i->common->config, c, i->route, i->common->shadowsocks, &inbound_events, i, &err);
	return i->dns ? 0 : err;
}

/* Its names are the process's (client_names.h). */
static int open_fake_dns(struct local_inbound *i, const struct config_local *c)
{
	struct dns_listener_options o = {
		.listen = c->listen,
		.listen_udp = c->listen_udp,
		.tcp = c->mode & MODE_TCP_ONLY,
		.udp = c->mode & MODE_UDP_ONLY,
		.service = dns_main_service(),
	};
	int err = ENOTSUP;

	if (o.service)
		i->fake_dns = dns_listener_new(&o, &inbound_events, i, &err);
	return i->fake_dns ? 0 : err;
}

static int open_protocol(struct local_inbound *i, const struct config_local *c)
{
	switch (c->protocol) {
	case LOCAL_DNS:
		return open_dns(i, c);
	case LOCAL_FAKE_DNS:
		return open_fake_dns(i, c);
	case LOCAL_TUNNEL:
		return open_tunnel(i, c);
	case LOCAL_REDIR:
		return open_redir(i, c);
	default:
		return open_mixed(i, c);
	}
}

static void close_dns(struct local_inbound *i)
{
	local_dns_free(i->dns);
	i->dns = NULL;
	if (i->fake_dns)
		dns_listener_free(i->fake_dns);
	i->fake_dns = NULL;
}

static void close_udp(struct local_inbound *i)
{
	if (i->associations)
		assoc_table_free(i->associations);
	if (i->udp_port)
		dns_udp_leave(i->udp_port);
	i->udp_port = NULL;
	if (i->socks_udp)
		socks_udp_free(i->socks_udp);
	if (i->tunnel_udp)
		tunnel_udp_free(i->tunnel_udp);
	if (i->tproxy_udp)
		tproxy_udp_free(i->tproxy_udp);
	i->associations = NULL;
	i->socks_udp = NULL;
	i->tunnel_udp = NULL;
	i->tproxy_udp = NULL;
}

/* Of the protocols whose listener is nobody's host. */
static void close_tcp(struct local_inbound *i)
{
	if (i->tunnel_tcp)
		tunnel_tcp_free(i->tunnel_tcp);
	if (i->redirect_tcp)
		redirect_tcp_free(i->redirect_tcp);
	i->tunnel_tcp = NULL;
	i->redirect_tcp = NULL;
}

/* ---- life ---- */

static void log_opened(const struct local_inbound *i)
{
	const struct config_local *c = &i->settings;
	struct log_site own = { 0 }; /* a line each */
	char where[ADDR_STRLEN], to[TARGET_STRLEN];

	if (log_level() < LOG_LEVEL_INFO)
		return;
	addr_format(&c->listen, where);
	if (c->protocol == LOCAL_TUNNEL)
		log_at(&own, LOG_LEVEL_INFO, "listening on %s protocol=tunnel to=%s", where, target_format(&c->forward, to));
	else if (c->protocol == LOCAL_DNS)
		log_at(&own, LOG_LEVEL_INFO, "listening on %s protocol=dns remote=%s", where, target_format(&c->remote_dns, to));
	else if (c->protocol == LOCAL_FAKE_DNS)
		log_at(&own, LOG_LEVEL_INFO, "listening on %s protocol=fake-dns", where);
	else
		log_at(&own, LOG_LEVEL_INFO, "listening on %s protocol=%s udp=%s", where, local_protocol_name(c->protocol),
		       i->associations ? "yes" : "no");
}

static void log_refused(const struct config_local *c, int err)
{
	char where[ADDR_STRLEN];

	log_error("cannot listen on %s: %s err=%s", addr_format(&c->listen, where),
		  err == EADDRINUSE	 ? "this port is taken"
		  : err == EACCES	 ? "ports below 1024 need root, and only at the start"
		  : err == EADDRNOTAVAIL ? "this machine has no such address"
		  : err == ENOTSUP	 ? "the first fake-dns inbound wants a new start"
		  : err == EPERM	 ? "TPROXY and marks need CAP_NET_RAW (run as root)"
					 : "the system said no",
		  err_name(err));
}

static bool wants_udp(const struct config *config, const struct config_local *c)
{
	return (c->mode & MODE_UDP_ONLY) && (c->acl || outbounds_carries(config, MODE_UDP_ONLY));
}

static void take_settings(struct local_inbound *i, const struct config_local *c)
{
	i->settings = *c;
	i->settings.socks_users = i->settings.http_users = (struct config_users){ 0 };
	i->settings.acl = NULL;
	i->udp = wants_udp(i->common->config, c);
	i->mark = i->common->config->outbound.fwmark;
}

/* -errno, logged. */
static int open_all(struct local_inbound *i, const struct config_local *c)
{
	int err;

	take_settings(i, c);
	i->route = client_route_new(i->common->config, c->acl, i->common->shadowsocks, true);
	if (!i->route)
		return -EINVAL; /* it has said why */
	err = open_protocol(i, c);
	if (err)
		log_refused(c, err);
	return -err;
}

struct local_inbound *local_inbound_open(const struct local_common *o, const struct config_local *c, int *err)
{
	struct local_inbound *i = calloc(1, sizeof(*i));

	*err = -ENOMEM;
	if (!i)
		return NULL;
	i->common = o;
	list_init(&i->node);
	*err = open_all(i, c);
	if (*err) {
		local_inbound_close(i);
		local_inbound_free(i);
		return NULL;
	}
	log_opened(i);
	return i;
}

void local_inbound_close(struct local_inbound *i)
{
	if (i->mixed)
		mixed_free(i->mixed);
	i->mixed = NULL;
	close_dns(i);
	close_tcp(i);
	close_udp(i);
}

void local_inbound_free(struct local_inbound *i)
{
	client_route_free(i->route);
	list_remove(&i->node);
	free(i);
}

/* ---- another config ---- */

bool local_inbound_is(const struct local_inbound *i, const struct config_local *c)
{
	const struct config_local *s = &i->settings;

	return s->protocol == c->protocol && s->mode == c->mode && s->tcp_redir == c->tcp_redir && addr_equal(&s->listen, &c->listen) &&
	       addr_equal(&s->listen_udp, &c->listen_udp) && addr_equal(&s->udp_told, &c->udp_told) &&
	       target_equal(&s->forward, &c->forward) && addr_equal(&s->local_dns, &c->local_dns) &&
	       target_equal(&s->remote_dns, &c->remote_dns) && i->udp == wants_udp(i->common->config, c) &&
	       (s->protocol != LOCAL_REDIR || i->mark == i->common->config->outbound.fwmark);
}

bool local_inbound_is_at(const struct local_inbound *i, const struct config_local *c)
{
	return addr_equal(&i->settings.listen, &c->listen) || addr_equal(&i->settings.listen_udp, &c->listen_udp);
}

int local_inbound_prepare(struct local_inbound *i, const struct config_local *c)
{
	return client_route_prepare(i->route, i->common->config, c->acl);
}

void local_inbound_withdraw(struct local_inbound *i)
{
	client_route_withdraw(i->route);
}

void local_inbound_apply(struct local_inbound *i, const struct config_local *c)
{
	struct assoc_limits limits = assoc_limits(i->common);

	if (client_route_apply(i->route, i->common->config) && i->associations)
		assoc_table_set_out(i->associations, client_route_outbound(i->route));
	if (i->dns)
		local_dns_change(i->dns, i->common->config, i->route);
	if (i->mixed)
		mixed_set_users(i->mixed, &c->socks_users, &c->http_users);
	if (i->associations)
		assoc_table_set_limits(i->associations, &limits);
}

void local_inbound_retire(struct local_inbound *i)
{
	char where[ADDR_STRLEN];

	log_info("no longer listening on %s", addr_format(&i->settings.listen, where));
	if (i->mixed)
		mixed_retire(i->mixed);
	close_dns(i);
	close_tcp(i);
	close_udp(i);
}

bool local_inbound_is_over(const struct local_inbound *i)
{
	return !i->mixed || !mixed_busy(i->mixed);
}
