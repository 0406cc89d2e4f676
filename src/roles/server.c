/*
 * The far end: the endpoints that the config names, and the ways out behind them.
 */
#include <errno.h>
#include <stdlib.h>

#include "crypto/salt_store.h"
#include "engine/common.h"
#include "engine/worker.h"
#include "flow/relay.h"
#include "loop/loop.h"
#include "outbound/direct.h"
#include "roles/life.h"
#include "roles/roles.h"
#include "server/endpoints.h"
#include "server/managed.h"
#include "server/manager.h"
#include "server/salts.h"
#include "server/status_server.h"
#include "supervisor/workers.h"

#define LOW_PORTS 1024 /* need root, or CAP_NET_BIND_SERVICE */

struct server {
	const struct config *config;
	struct egresses *egresses;
	struct outbound *relay_out;
	struct salt_store *salts;
	struct salt_table *old_salts;
	struct proven *proven;
	struct endpoints *endpoints;
};

static int open_endpoints(struct server *s)
{
	struct endpoints_options options = {
		.config = s->config,
		.salts = s->salts,
		.old_salts = s->old_salts,
		.proven = s->proven,
		.egresses = s->egresses,
		.relay_out = s->relay_out,
	};
	int err = 0;

	s->endpoints = endpoints_new(&options);
	if (!s->endpoints)
		return -ENOMEM;
	server_status_add_endpoints(s->endpoints);
	for (int i = 0; i < s->config->n_servers && !err; i++)
		err = endpoints_add(s->endpoints, &s->config->servers[i]);
	return err;
}

static void upkeep(void *owner)
{
	salt_store_expire(((struct server *)owner)->salts, loop_now());
}

static int open_all(void *owner, const struct config *config)
{
	struct server *s = owner;
	/* A destination is the config's choice, not the client's. */
	struct direct_options relay = {
		.allow_local = true,
		.rules = &config->outbound,
		.timeout_s = config->timeout,
	};
	int err;

	s->config = config;
	s->egresses = egresses_new(s->config);
	s->relay_out = direct_new(&relay);
	s->salts = worker_is() ? worker_shared()->salts : worker_salts_new(false);
	s->old_salts = server_salts_open(s->config->state_dir);
	s->proven = worker_is() ? worker_shared()->proven : proven_new(false);
	if (!s->egresses || !s->relay_out || !s->salts || !s->old_salts || !s->proven)
		return -ENOMEM;
	err = open_endpoints(s);
	if (err)
		return err;
	engine_set_upkeep(upkeep, s);
	managed_begin(s->endpoints, s->config);
	return worker_is() ? 0 : manager_open(&s->config->manager); /* else the supervisor's */
}

static void close_all(void *owner)
{
	struct server *s = owner;

	manager_close();
	relay_free();
	if (s->egresses)
		egresses_close(s->egresses);
	if (s->endpoints)
		endpoints_free(s->endpoints);
	engine_drain(); /* what ended above is freed by deferred work */
	if (s->egresses)
		egresses_free(s->egresses);
	if (s->relay_out)
		s->relay_out->ops->free(s->relay_out);
	server_salts_close(s->old_salts);
	if (!worker_is()) {
		salt_store_free(s->salts);
		proven_free(s->proven);
	}
}

/* ---- another config ---- */

static int prepare(void *owner, const struct config *fresh)
{
	struct server *s = owner;
	int err = egresses_prepare(s->egresses, fresh);

	if (!err)
		err = endpoints_prepare(s->endpoints, fresh);
	if (err)
		egresses_withdraw(s->egresses);
	return err;
}

static void withdraw(void *owner)
{
	struct server *s = owner;

	endpoints_withdraw(s->endpoints);
	egresses_withdraw(s->egresses);
}

static void apply(void *owner, const struct config *fresh)
{
	struct server *s = owner;

	endpoints_apply(s->endpoints);
	egresses_apply(s->egresses, fresh);
	direct_change(s->relay_out, true, &fresh->outbound, fresh->timeout);
	managed_change(fresh);
	s->config = fresh;
}

static const struct reload_steps steps = { .prepare = prepare, .apply = apply, .withdraw = withdraw };

static int run_server(const struct config *config)
{
	static const struct life life = { .mode = "server", .signals = true, .open = open_all, .steps = &steps, .close = close_all };
	struct server server = { 0 };

	return life_run(&life, &server, config) ? 1 : 0;
}

int role_server(const struct config *config)
{
	static const struct workers_plan plan = { .mode = "server", .run = run_server };

	for (int i = 0; i < config->n_servers; i++)
		if (config->servers[i].plugin.name && target_port(&config->servers[i].address) < LOW_PORTS)
			engine_keep_low_ports();
	return workers_wanted(config) > 1 ? workers_run(config, &plan) : run_server(config);
}
