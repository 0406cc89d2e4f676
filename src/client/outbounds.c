/*
 * Builds the outbound of a client from its config. It knows which servers there
 * are and what stands before them, not what the bytes on the way mean.
 */
#include "client/outbounds.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "client/online.h"
#include "engine/status.h"
#include "io/udp_socket.h"
#include "outbound/pool.h"
#include "outbound/proxy.h"
#include "outbound/shadowsocks.h"
#include "proto/ss_addr.h"
#include "proto/ss_identity.h"

#define IPV4_ADDR_LEN 7 /* of an address in a Shadowsocks header; what ss_identity_udp_overhead() reckons with */
#define IPV6_ADDR_EXTRA 12 /* an IPv6 address there, instead of an IPv4 one */
#define SOCKS_UDP_BEFORE_ADDR 3

/* ---- one server ---- */

static struct plugin_options plugin_of(const struct config_server *s)
{
	return (struct plugin_options){
		.name = s->plugin.name,
		.options = s->plugin.options,
		.args = s->plugin.args,
		.remote = s->address,
		.tcp = s->plugin.mode & MODE_TCP_ONLY,
		.udp = s->plugin.mode & MODE_UDP_ONLY,
		.optional = s->online,
	};
}

static bool carries(const struct config_server *s, enum config_mode mode)
{
	if (mode == MODE_UDP_ONLY && s->udp_over_tcp != UDP_OVER_TCP_YES && !config_server_hops_carry_udp(s))
		return false;
	return s->mode & mode;
}

static struct outbound *shadowsocks_of(const struct config *c, const struct config_server *s, const struct config_server *of,
				       struct outbound *via)
{
	struct plugin_options plugin = plugin_of(s);
	struct shadowsocks_options options = {
		.server = s->address,
		.method = s->method,
		.key = s->key,
		.identity_keys = (const uint8_t (*)[SS_KEY_MAX])s->identity_keys,
		.n_identities = s->n_identities,
		.tag = s->tag,
		.plugin = plugin.name ? &plugin : NULL,
		.tcp = carries(s, MODE_TCP_ONLY),
		.udp = carries(s, MODE_UDP_ONLY),
		.udp_in_tcp = s->udp_over_tcp == UDP_OVER_TCP_YES,
		.udp_auto = s->udp_over_tcp == UDP_OVER_TCP_AUTO,
		.true_connect = s->true_connect,
		.rules = &of->outbound,
		.timeout_s = of->timeout ? of->timeout : c->timeout,
		.resolver = c->no_mtu_probe ? NULL : &c->dns_upstream,
		.via = via,
	};

	return shadowsocks_new(&options);
}

static struct outbound *hop_new(const struct config *c, const struct config_hop *h, const struct config_server *of, struct outbound *via)
{
	struct proxy_options options = {
		.http = h->kind == HOP_HTTP,
		.address = h->address,
		.user = h->user,
		.password = h->password,
		.rules = &of->outbound,
		.timeout_s = of->timeout ? of->timeout : c->timeout,
		.via = via,
	};

	return h->kind == HOP_SHADOWSOCKS ? shadowsocks_of(c, h->server, of, via) : proxy_new(&options);
}

/* The server behind its hops: each knows the one before it, and frees it. */
static struct outbound *server_new(const struct config *c, const struct config_server *s)
{
	struct outbound *via = NULL, *next;

	for (int i = 0; i <= s->n_hops; i++) {
		next = i < s->n_hops ? hop_new(c, &s->hops[i], s, via) : shadowsocks_of(c, s, s, via);
		if (!next) {
			if (via)
				via->ops->free(via);
			return NULL;
		}
		via = next;
	}
	return via;
}

/* ---- all of them ---- */

/* What is not measured is left out. */
static void describe_kind(json_t *server, const char *const keys[3], uint32_t failures, int32_t rtt_ms, double score)
{
	json_object_set_new(server, keys[0], json_integer(failures));
	if (rtt_ms >= 0)
		json_object_set_new(server, keys[1], json_integer(rtt_ms));
	if (score >= 0)
		json_object_set_new(server, keys[2], json_real(score));
}

static json_t *describe(const struct outbound_pool_status *s)
{
	static const char *const tcp[] = { "failures", "rtt_ms", "score" }, *const udp[] = { "udp_failures", "udp_rtt_ms", "udp_score" };
	json_t *server = json_pack("{s:s, s:s, s:s, s:I, s:I}", "tag", s->name, "address", s->address, "state", s->state,
				   "up", (json_int_t)s->up, "down", (json_int_t)s->down);

	if (s->tcp)
		describe_kind(server, tcp, s->tcp_failures, s->tcp_rtt_ms, s->tcp_score);
	if (s->udp)
		describe_kind(server, udp, s->udp_failures, s->udp_rtt_ms, s->udp_score);
	if (s->path_limit)
		json_object_set_new(server, "path_limit", json_integer(s->path_limit));
	if (s->skew.known)
		json_object_set_new(server, "clock_skew_s", json_integer(s->skew.seconds));
	return server;
}

static void free_members(struct pool_member_options *members, int n)
{
	for (int i = 0; i < n; i++)
		members[i].outbound->ops->free(members[i].outbound);
	free(members);
}

/* NULL: out of memory. The texts are the pool's own after pool_new(). */
static struct pool_member_options *make_members(const struct config *c, char (*addresses)[TARGET_STRLEN])
{
	struct pool_member_options *members = calloc((size_t)c->n_servers, sizeof(*members));

	for (int i = 0; members && i < c->n_servers; i++) {
		const struct config_server *s = &c->servers[i];

		members[i] = (struct pool_member_options){
			.outbound = server_new(c, s),
			.address = target_format(&s->address, addresses[i]),
			.tcp_weight = carries(s, MODE_TCP_ONLY) ? s->tcp_weight : 0,
			.udp_weight = carries(s, MODE_UDP_ONLY) ? s->udp_weight : 0,
		};
		if (!members[i].outbound) {
			free_members(members, i);
			return NULL;
		}
	}
	return members;
}

static struct pool_options pool_options_of(const struct config *c)
{
	static const enum pool_policy policies[] = {
		[BALANCER_UNSET] = POOL_FAILCOUNT,
		[BALANCER_FAILCOUNT] = POOL_FAILCOUNT,
		[BALANCER_LATENCY] = POOL_LATENCY,
		[BALANCER_ORDER] = POOL_ORDER,
		[BALANCER_STICKY] = POOL_STICKY,
	};

	return (struct pool_options){
		.policy = policies[c->balancer_policy],
		.max_rtt_ms = c->balancer_max_rtt * 1000,
		.interval_ms = c->balancer_interval * 1000,
		.best_interval_ms = c->balancer_best_interval * 1000,
		.probe_host = c->probe_host,
		.probe_path = c->probe_path,
		.probe_dns = c->probe_dns,
	};
}

struct pool_change *outbounds_prepare(const struct config *c)
{
	char (*addresses)[TARGET_STRLEN] = calloc((size_t)c->n_servers, sizeof(*addresses));
	struct pool_member_options *members = addresses ? make_members(c, addresses) : NULL;
	struct pool_options options = pool_options_of(c);
	struct pool_change *change = members ? pool_prepare(&options, members, c->n_servers) : NULL;

	if (members && !change)
		free_members(members, c->n_servers);
	else
		free(members);
	free(addresses);
	return change;
}

static json_t *describe_servers(void *owner)
{
	json_t *all = json_array();
	struct outbound_pool_status s;

	for (int i = 0; outbound_pool_status(owner, i, &s); i++)
		json_array_append_new(all, describe(&s));
	return all;
}

/* Of the clock that differs most: what all have in common is ours. */
static json_t *describe_skew(void *owner)
{
	struct clock_skew most = { 0 };
	struct outbound_pool_status s;

	for (int i = 0; outbound_pool_status(owner, i, &s); i++)
		if (s.skew.known && (!most.known || llabs(s.skew.seconds) > llabs(most.seconds)))
			most = s.skew;
	return most.known ? json_integer(most.seconds) : NULL;
}

struct outbound *outbounds_new(const struct config *c)
{
	struct pool_change *servers = outbounds_prepare(c);
	struct outbound *pool = servers ? pool_new(servers) : NULL;

	if (!pool)
		return NULL;
	engine_status_add("servers", describe_servers, pool);
	engine_status_add("clock_skew_s", describe_skew, pool);
	online_begin(c, pool);
	return pool;
}

void outbounds_free(struct outbound *pool)
{
	online_end();
	engine_status_remove(pool);
	pool->ops->free(pool);
}

int outbounds_set_servers(struct outbound *pool, const struct config *c)
{
	struct pool_change *servers = outbounds_prepare(c);

	if (servers)
		pool_apply(pool, servers);
	return servers ? 0 : -ENOMEM;
}

void outbounds_apply(struct outbound *pool, struct pool_change *servers, const struct config *c)
{
	pool_apply(pool, servers);
	online_begin(c, pool);
}

/* ---- what the rest of the engine asks ---- */

bool outbounds_carries(const struct config *c, enum config_mode mode)
{
	for (int i = 0; i < c->n_servers; i++)
		if (carries(&c->servers[i], mode))
			return true;
	return false;
}

const struct ss_method *outbounds_method(const struct config *c)
{
	for (int i = 0; i < c->n_servers; i++)
		if (c->servers[i].method->sip022)
			return c->servers[i].method;
	return c->servers[0].method;
}

/* What the hops add: each carries the datagram for the next, whose address stands in its header. */
static unsigned hops_udp_overhead(const struct config_server *s)
{
	unsigned sum = 0;

	for (int i = 0; i < s->n_hops; i++) {
		const struct config_hop *h = &s->hops[i];
		const struct target *next = i + 1 < s->n_hops ? &s->hops[i + 1].address : &s->address;

		sum += (unsigned)ss_addr_len(next);
		if (h->kind == HOP_SHADOWSOCKS)
			sum += ss_identity_udp_overhead(h->server->method, h->server->n_identities) - IPV4_ADDR_LEN;
		else
			sum += SOCKS_UDP_BEFORE_ADDR;
	}
	return sum;
}

unsigned outbounds_udp_overhead_of(const struct config_server *s)
{
	/* In a stream a datagram grows as well, but no packet has to hold it. */
	if (s->udp_over_tcp == UDP_OVER_TCP_YES)
		return 0;
	return ss_identity_udp_overhead(s->method, s->n_identities) + hops_udp_overhead(s);
}

unsigned outbounds_udp_overhead(const struct config *c)
{
	unsigned most = 0;

	for (int i = 0; i < c->n_servers; i++) {
		unsigned one = outbounds_udp_overhead_of(&c->servers[i]);

		most = one > most ? one : most;
	}
	return most;
}

unsigned outbounds_udp_payload(const struct config *c)
{
	return UDP_PAYLOAD_MAX - outbounds_udp_overhead(c) - IPV6_ADDR_EXTRA;
}

const struct target *outbounds_first(const struct config_server *s)
{
	return s->n_hops ? &s->hops[0].address : &s->address;
}
