/*
 * Builds the outbound of a client from its config. It knows which servers there
 * are and what stands before them, not what the bytes on the way mean.
 */
#include "engine/outbounds.h"

#include "outbound/shadowsocks.h"
#include "proto/ss_identity.h"

static struct plugin_options plugin_of(const struct config_server *s)
{
	return (struct plugin_options){
		.name = s->plugin.name,
		.options = s->plugin.options,
		.args = s->plugin.args,
		.remote = s->address,
		.tcp = s->plugin.mode & MODE_TCP_ONLY,
		.udp = s->plugin.mode & MODE_UDP_ONLY,
	};
}

struct outbound *engine_outbound_new(const struct config *c)
{
	const struct config_server *s = &c->servers[0];
	struct plugin_options plugin = plugin_of(s);
	struct shadowsocks_options options = {
		.server = s->address,
		.method = s->method,
		.key = s->key,
		.identity_keys = (const uint8_t (*)[SS_KEY_MAX])s->identity_keys,
		.n_identities = s->n_identities,
		.tag = s->tag,
		.plugin = plugin.name ? &plugin : NULL,
		.tcp = s->mode & MODE_TCP_ONLY,
		.udp = s->mode & MODE_UDP_ONLY,
		.udp_in_tcp = s->udp_over_tcp == UDP_OVER_TCP_YES,
		.udp_auto = s->udp_over_tcp == UDP_OVER_TCP_AUTO,
		.rules = &s->outbound,
		.timeout_s = c->timeout,
	};

	return shadowsocks_new(&options);
}

bool engine_outbound_carries(const struct config *c, enum config_mode mode)
{
	for (int i = 0; i < c->n_servers; i++)
		if (c->servers[i].mode & mode)
			return true;
	return false;
}

const struct ss_method *engine_outbound_method(const struct config *c)
{
	for (int i = 0; i < c->n_servers; i++)
		if (c->servers[i].method->sip022)
			return c->servers[i].method;
	return c->servers[0].method;
}

unsigned engine_outbound_udp_overhead(const struct config *c)
{
	unsigned most = 0;

	for (int i = 0; i < c->n_servers; i++) {
		/* In a stream a datagram grows as well, but no packet has to hold it. */
		unsigned one = c->servers[i].udp_over_tcp == UDP_OVER_TCP_YES ?
				       0 : ss_identity_udp_overhead(c->servers[i].method, c->servers[i].n_identities);

		most = one > most ? one : most;
	}
	return most;
}
