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
 *
 * A reload changes it in two steps like the server's endpoints: all that may fail comes
 * first. An inbound that stays keeps its sockets; of one whose address stays and
 * whose kind does not, the old must close before the new can open, which is the one thing
 * that may fail in the second step.
 */
#include "client/local.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "client/client_names.h"
#include "client/local_inbound.h"
#include "client/outbounds.h"
#include "client/status_client.h"
#include "engine/common.h"
#include "engine/fake_names.h"
#include "flow/relay.h"

#define LOW_PORTS 1024 /* cannot be opened again once rights are dropped */

struct local {
	struct local_common common;
	bool borrowed; /* the way through the servers */
	struct list inbounds, retired;
	/* Of a reload under way: the config of before, what it opened, the servers. */
	const struct config *before;
	struct list fresh;
	struct pool_change *servers;
};

/* ---- life ---- */

static int add(struct local *l, struct list *to, const struct config_local *c)
{
	int err;
	struct local_inbound *i = local_inbound_open(&l->common, c, &err);

	if (i)
		list_append(to, &i->node);
	return err;
}

bool local_has_fake_dns(const struct config *c)
{
	for (int i = 0; i < c->n_locals; i++)
		if (c->locals[i].protocol == LOCAL_FAKE_DNS)
			return true;
	return false;
}

struct local *local_open(const struct config *config, struct outbound *servers)
{
	struct limits_rates rates = engine_limits_rates(&config->limits);
	struct local *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	list_init(&l->inbounds);
	list_init(&l->retired);
	list_init(&l->fresh);
	l->common.config = config;
	l->common.limits = limits_new(&rates);
	client_status_add_locals(&l->common.config);
	l->common.shadowsocks = servers ? servers : outbounds_new(config);
	l->borrowed = servers != NULL;
	if (!l->common.shadowsocks || !l->common.limits) {
		log_error("out of memory");
		local_close(l);
		return NULL;
	}
	/* A map that is there had an inbound at the start: apps hold its addresses, and the inbound may come back. */
	if (!servers && (local_has_fake_dns(config) || fake_names_map()) && client_names_open(config, DNS_FAKE, NULL, l->common.shadowsocks) < 0) {
		local_close(l);
		return NULL;
	}
	for (int i = 0; i < config->n_locals; i++) {
		if (add(l, &l->inbounds, &config->locals[i]) != 0) {
			local_close(l);
			return NULL;
		}
	}
	return l;
}

static void for_all(struct list *inbounds, void (*fn)(struct local_inbound *))
{
	list_for_each_safe (it, inbounds)
		fn(container_of(it, struct local_inbound, node));
}

void local_close(struct local *l)
{
	relay_free(); /* first: guests that the relay has belong to an inbound */
	for_all(&l->inbounds, local_inbound_close);
	for_all(&l->retired, local_inbound_close);
	engine_drain();
	for_all(&l->inbounds, local_inbound_free);
	for_all(&l->retired, local_inbound_free);
	if (!l->borrowed)
		client_names_close();
	engine_drain();
	if (l->common.shadowsocks && !l->borrowed)
		outbounds_free(l->common.shadowsocks);
	engine_drain();
	limits_free(l->common.limits);
	free(l);
}

/* ---- another config ---- */

/* The open inbound that c describes, or NULL. */
static struct local_inbound *find(const struct local *l, const struct config_local *c)
{
	list_for_each (it, &l->inbounds) {
		struct local_inbound *i = container_of(it, struct local_inbound, node);

		if (local_inbound_is(i, c))
			return i;
	}
	return NULL;
}

/* Marks those that stay. */
static void name_all(struct local *l, const struct config *c)
{
	list_for_each (it, &l->inbounds)
		container_of(it, struct local_inbound, node)->named = false;
	for (int i = 0; i < c->n_locals; i++) {
		struct local_inbound *stays = find(l, &c->locals[i]);

		if (stays)
			stays->named = true;
	}
}

/* Must one go before this can come? */
static bool is_taken(const struct local *l, const struct config_local *c)
{
	list_for_each (it, &l->inbounds) {
		const struct local_inbound *i = container_of(it, struct local_inbound, node);

		if (!i->named && local_inbound_is_at(i, c))
			return true;
	}
	return false;
}

static int refuse_low_port(const struct config_local *c)
{
	char where[ADDR_STRLEN];

	if (c->listen.port >= LOW_PORTS)
		return 0;
	log_error("the inbound at %s cannot become another without a new start: ports below 1024 need root", addr_format(&c->listen, where));
	return -EACCES;
}

/* l->fresh gets what can be opened beside what there is. */
static int prepare_inbounds(struct local *l, const struct config *c)
{
	int err = 0;

	name_all(l, c);
	for (int i = 0; i < c->n_locals && !err; i++) {
		struct local_inbound *stays = find(l, &c->locals[i]);

		err = stays			 ? local_inbound_prepare(stays, &c->locals[i]) :
		      is_taken(l, &c->locals[i]) ? refuse_low_port(&c->locals[i]) :
						   add(l, &l->fresh, &c->locals[i]);
	}
	return err;
}

static int prepare_servers(struct local *l, const struct config *c)
{
	l->servers = l->borrowed ? NULL : outbounds_prepare(c);
	return l->servers || l->borrowed ? 0 : -ENOMEM;
}

static void retire_unnamed(struct local *l)
{
	list_for_each_safe (it, &l->inbounds) {
		struct local_inbound *i = container_of(it, struct local_inbound, node);

		if (i->named)
			continue;
		local_inbound_retire(i);
		list_move_last(&l->retired, &i->node);
	}
}

static void discard(struct local_inbound *i)
{
	local_inbound_close(i);
	local_inbound_free(i);
}

void local_withdraw(void *local)
{
	struct local *l = local;

	l->common.config = l->before;
	for_all(&l->inbounds, local_inbound_withdraw);
	for_all(&l->fresh, discard);
	pool_withdraw(l->servers);
	l->servers = NULL;
}

int local_prepare(void *local, const struct config *c)
{
	struct local *l = local;
	int err;

	l->before = l->common.config;
	l->common.config = c;
	err = prepare_inbounds(l, c);
	if (!err)
		err = prepare_servers(l, c);
	if (err)
		local_withdraw(l);
	return err;
}

void local_apply(void *local, const struct config *c)
{
	struct local *l = local;
	struct limits_rates rates = engine_limits_rates(&c->limits);

	if (l->servers)
		outbounds_apply(l->common.shadowsocks, l->servers, c);
	l->servers = NULL;
	name_all(l, c);
	retire_unnamed(l);
	while (!list_empty(&l->fresh))
		list_move_last(&l->inbounds, l->fresh.next);
	for (int i = 0; i < c->n_locals; i++) {
		struct local_inbound *open = find(l, &c->locals[i]);

		if (open)
			local_inbound_apply(open, &c->locals[i]);
		else
			add(l, &l->inbounds, &c->locals[i]); /* what was in its way is closed now */
	}
	limits_set(l->common.limits, &rates);
}

const struct reload_steps local_steps = { .prepare = local_prepare, .apply = local_apply, .withdraw = local_withdraw };

void local_upkeep(void *local)
{
	struct local *l = local;
	char where[ADDR_STRLEN];

	list_for_each_safe (it, &l->retired) {
		struct local_inbound *i = container_of(it, struct local_inbound, node);

		if (!local_inbound_is_over(i))
			continue;
		log_info("all who came by %s are gone", addr_format(&i->settings.listen, where));
		discard(i);
	}
}
