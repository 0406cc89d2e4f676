/*
 * A client: flows from a near end (near.h), names answered here, everything
 * else by its route: through Shadowsocks, past it or nowhere. Who made the near
 * end and when all this ends is not known here (run.c, up.c, embed.c).
 *
 *	near ── streams ─────────► on_stream ── relay ──┐
 *	     ── datagrams ── dns ── association table ──┴── route ── shadowsocks, direct
 */
#include "client/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "client/client_names.h"
#include "client/client_route.h"
#include "client/local.h"
#include "client/loop_guard.h"
#include "client/outbounds.h"
#include "dns/dns.h"
#include "engine/common.h"
#include "flow/assoc.h"
#include "flow/relay.h"
#include "io/tcp_socket.h"

struct client {
	const struct config *config;
	struct outbound *shadowsocks;
	struct client_route *route;
	struct near *near;
	struct assoc_table *associations; /* NULL: the near end has no datagrams */
	struct local *inbounds;		  /* those of the config, if any */
	struct pool_change *servers;	  /* of a reload under way */
	uint64_t heard; /* when last asked for last words */
};

/* ---- TCP ---- */

static void on_stream(void *owner, struct stream *s, const struct addr *client, const struct target *target)
{
	struct client *c = owner;
	struct target mapped;

	if (loop_guard_is_own(client, target)) {
		flow_counters.tcp.ended[END_LOOP]++;
		stream_end(s, END_LOOP);
		return;
	}
	switch (dns_target(target, &mapped)) {
	case DNS_SERVE:
		dns_serve_stream(s);
		break;
	case DNS_REFUSE:
		flow_counters.tcp.ended[END_NAME]++;
		stream_end(s, END_REFUSED);
		break;
	case DNS_PASS:
	case DNS_MAPPED:
		relay_start(s, client, &mapped, client_route_outbound(c->route));
		break;
	}
}

static const struct inbound_events inbound_events = { .stream = on_stream };

/* ---- set-up ---- */

static int open_near(struct client *c, const struct near_options *o)
{
	int err;

	c->near = o->kind == NEAR_TUN ? near_open_tun(c->config, o, &inbound_events, c, &err) :
					near_open_ports(c->config, o, &inbound_events, c, &err);
	return c->near ? 0 : err;
}

static int open_datagrams(struct client *c)
{
	struct assoc_limits limits = engine_assoc_limits(c->config, outbounds_method(c->config));
	struct datagram_port *port = c->near->ops->port(c->near), *names;

	if (!port)
		return 0;
	names = dns_udp_port(port);
	if (!names)
		return -ENOMEM;
	c->associations = assoc_table_new(names, client_route_outbound(c->route), &limits);
	if (!c->associations)
		return -ENOMEM;
	assoc_table_limit(c->associations, loop_guard_admit, NULL);
	return 0;
}

static int open_inbounds(struct client *c)
{
	c->inbounds = local_open(c->config, c->shadowsocks);
	if (!c->inbounds)
		return -ECANCELED;
	engine_set_upkeep(local_upkeep, c->inbounds);
	return 0;
}

static int open_all(struct client *c, const struct near_options *o)
{
	int err;

	/* Where there are marks there is somebody who routes by them. */
	if (c->config->outbound.fwmark)
		loop_guard_begin();
	c->shadowsocks = outbounds_new(c->config);
	if (c->shadowsocks) /* who is behind the near end is not to reach this machine's own services past it */
		c->route = client_route_new(c->config, c->config->acl, c->shadowsocks, false);
	err = c->route ? client_names_open(c->config, c->config->dns, c->route, c->shadowsocks) : -ENOMEM;
	if (!err)
		err = open_near(c, o);
	if (!err)
		err = open_datagrams(c);
	return err ? err : open_inbounds(c);
}

struct client *client_open(const struct config *config, const struct near_options *o, int *err)
{
	struct client *c = calloc(1, sizeof(*c));

	*err = -ENOMEM;
	if (!c)
		return NULL;
	c->config = config;
	*err = open_all(c, o);
	if (*err) {
		client_close(c);
		return NULL;
	}
	return c;
}

/* ---- another config ---- */

int client_prepare(void *client, const struct config *fresh)
{
	struct client *c = client;
	int err = client_route_prepare(c->route, fresh, fresh->acl);

	if (!err) {
		c->servers = outbounds_prepare(fresh);
		err = c->servers ? local_prepare(c->inbounds, fresh) : -ENOMEM;
	}
	if (err) {
		client_route_withdraw(c->route);
		pool_withdraw(c->servers);
		c->servers = NULL;
	}
	return err;
}

void client_withdraw(void *client)
{
	struct client *c = client;

	local_withdraw(c->inbounds);
	client_route_withdraw(c->route);
	pool_withdraw(c->servers);
	c->servers = NULL;
}

void client_apply(void *client, const struct config *fresh)
{
	struct client *c = client;
	struct assoc_limits limits = engine_assoc_limits(fresh, outbounds_method(fresh));

	outbounds_apply(c->shadowsocks, c->servers, fresh);
	c->servers = NULL;
	local_apply(c->inbounds, fresh);
	if (client_route_apply(c->route, fresh) && c->associations)
		assoc_table_set_out(c->associations, client_route_outbound(c->route));
	client_names_change(fresh, c->route);
	if (c->associations)
		assoc_table_set_limits(c->associations, &limits);
	c->near->ops->change(c->near, fresh);
	c->config = fresh;
}

const struct reload_steps client_steps = { .prepare = client_prepare, .apply = client_apply, .withdraw = client_withdraw };

/* ---- the end ---- */

bool client_has_last_words(struct client *c)
{
	uint64_t heard = c->near->ops->heard(c->near);
	bool news = heard != c->heard, flows = relay_end_deserted();

	c->heard = heard;
	return news || flows || tcp_socket_closing();
}

static void close_near(struct client *c)
{
	if (c->near)
		c->near->ops->quiet(c->near);
	relay_free();
	if (c->associations)
		assoc_table_free(c->associations);
	engine_drain();
	if (c->near)
		c->near->ops->free_port(c->near);
	client_names_close();
	if (c->near)
		c->near->ops->free(c->near);
}

void client_close(struct client *c)
{
	engine_set_upkeep(NULL, NULL);
	if (c->inbounds)
		local_close(c->inbounds);
	close_near(c);
	client_route_free(c->route);
	if (c->shadowsocks)
		outbounds_free(c->shadowsocks);
	engine_drain();
	free(c);
}
