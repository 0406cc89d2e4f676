/*
 * The far end: the endpoints that the config names, one direct outbound behind all
 * of them.
 */
#include <errno.h>
#include <stdlib.h>

#include "crypto/salt_store.h"
#include "engine/common.h"
#include "engine/endpoints.h"
#include "engine/engine.h"
#include "engine/managed.h"
#include "engine/manager.h"
#include "engine/reload.h"
#include "engine/status.h"
#include "engine/worker.h"
#include "engine/workers.h"
#include "engine/status_server.h"
#include "flow/assoc.h"
#include "flow/relay.h"
#include "inbound/uot.h"
#include "loop/loop.h"
#include "outbound/direct.h"
#include "proto/uot.h"

#define LOW_PORTS 1024 /* need root, or CAP_NET_BIND_SERVICE */

struct server {
	const struct config *config;
	struct outbound *direct, *relay_out;
	struct salt_store *salts;
	struct proven *proven;
	struct endpoints *endpoints;
	struct uot_server *uot; /* streams of UDP over TCP, of all endpoints */
	struct assoc_table *uot_associations;
};

static void take_uot(struct server *server, struct stream *s, const struct addr *client, int version, struct limits *limits,
		     const struct limits_party *party)
{
	struct limits_flow *limit;
	enum flow_end why = limits_open(limits, party, &limit);

	if (why == END_DONE)
		uot_server_take(server->uot, s, client, version, limit);
	else
		stream_end(s, why);
}

static void on_stream(void *owner, struct stream *s, const struct addr *client, const struct target *target, struct limits *limits,
		      const struct limits_party *party)
{
	struct server *server = owner;
	int uot = uot_version(target);

	if (uot)
		take_uot(server, s, client, uot, limits, party);
	else
		relay_start_limited(s, client, target, server->direct, limits, party);
}

/* A destination is the config's choice, not the client's. */
static void on_passed_on(void *owner, struct stream *s, const struct addr *client, const struct target *target, struct limits *limits,
			 const struct limits_party *party)
{
	relay_start_limited(s, client, target, ((struct server *)owner)->relay_out, limits, party);
}

static const struct endpoint_events endpoint_events = { .stream = on_stream, .pass_on = on_passed_on };

static enum flow_end on_uot_association(void *owner, const struct assoc_key *key, struct limits_flow **limit)
{
	*limit = uot_server_limit(owner, key);
	return END_DONE;
}

static void on_uot_closed(void *owner, const struct assoc_key *key)
{
	assoc_table_end(owner, key, END_DONE);
}

static int open_uot(struct server *s)
{
	struct assoc_limits limits = engine_assoc_limits(s->config, NULL);

	s->uot = uot_server_new();
	if (!s->uot)
		return -ENOMEM;
	s->uot_associations = assoc_table_new(uot_server_port(s->uot), s->direct, &limits);
	if (!s->uot_associations)
		return -ENOMEM;
	uot_server_on_close(s->uot, on_uot_closed, s->uot_associations);
	assoc_table_limit(s->uot_associations, on_uot_association, s->uot);
	return 0;
}

static void close_uot(struct server *s)
{
	if (!s->uot)
		return;
	uot_server_close(s->uot);
	if (s->uot_associations)
		assoc_table_free(s->uot_associations);
	engine_drain();
	uot_server_free(s->uot);
}

static int open_endpoints(struct server *s)
{
	struct endpoints_options options = {
		.config = s->config,
		.salts = s->salts,
		.proven = s->proven,
		.out = s->direct,
		.relay_out = s->relay_out,
		.events = &endpoint_events,
		.owner = s,
	};
	int err = 0;

	s->endpoints = endpoints_new(&options);
	if (!s->endpoints)
		return -ENOMEM;
	engine_status_add_endpoints(s->endpoints);
	for (int i = 0; i < s->config->n_servers && !err; i++)
		err = endpoints_add(s->endpoints, &s->config->servers[i]);
	return err;
}

static int open_all(struct server *s)
{
	struct direct_options direct = {
		.allow_local = s->config->allow_local,
		.rules = &s->config->outbound,
		.timeout_s = s->config->timeout,
	};
	int err;

	s->direct = direct_new(&direct);
	direct.allow_local = true;
	s->relay_out = direct_new(&direct);
	s->salts = worker_is() ? worker_shared()->salts : worker_salts_new(false);
	s->proven = worker_is() ? worker_shared()->proven : proven_new(false);
	if (!s->direct || !s->relay_out || !s->salts || !s->proven)
		return -ENOMEM;
	err = open_uot(s);
	if (!err)
		err = open_endpoints(s);
	if (err)
		return err;
	managed_begin(s->endpoints, &s->config->manager);
	return worker_is() ? 0 : manager_open(&s->config->manager); /* else the supervisor's */
}

static void close_all(struct server *s)
{
	manager_close();
	relay_free();
	close_uot(s);
	if (s->endpoints)
		endpoints_free(s->endpoints);
	engine_drain(); /* what ended above is freed by deferred work */
	if (s->direct)
		s->direct->ops->free(s->direct);
	if (s->relay_out)
		s->relay_out->ops->free(s->relay_out);
	if (!worker_is()) {
		salt_store_free(s->salts);
		proven_free(s->proven);
	}
}

/* What may fail comes first. */
static int update(void *owner, const struct config *fresh)
{
	struct server *s = owner;
	struct relay_limits times = engine_relay_limits(fresh);
	int err = endpoints_update(s->endpoints, fresh);

	if (err)
		return err;
	direct_change(s->direct, fresh->allow_local, fresh->timeout);
	relay_set_limits(&times);
	managed_change(&fresh->manager);
	s->config = fresh;
	return 0;
}

static void upkeep(void *owner)
{
	salt_store_expire(((struct server *)owner)->salts, loop_now());
}

static int run_server(const struct config *config)
{
	struct server server = { .config = config };
	int err = engine_start(config);

	if (err)
		return 1;
	engine_status_set_mode("server");
	engine_stop_on_signals();
	err = open_all(&server);
	if (!err)
		err = engine_drop_privileges(config);
	if (!err)
		err = engine_await_plugins();
	if (!err) {
		engine_set_upkeep(upkeep, &server);
		reload_begin(config, update, &server, !worker_is());
		engine_loop();
	}
	close_all(&server);
	reload_end();
	if (!err)
		engine_log_summary();
	engine_end();
	return err ? 1 : 0;
}

int engine_server(const struct config *config)
{
	static const struct workers_plan plan = { .mode = "server", .run = run_server };

	for (int i = 0; i < config->n_servers; i++)
		if (config->servers[i].plugin.name && target_port(&config->servers[i].address) < LOW_PORTS)
			engine_keep_low_ports();
	return workers_wanted(config) > 1 ? workers_run(config, &plan) : run_server(config);
}
