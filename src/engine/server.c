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
#include "engine/status.h"
#include "flow/relay.h"
#include "loop/loop.h"
#include "outbound/direct.h"

/* SIP022: a salt is remembered for as long as its timestamp may pass. */
#define SALT_KEEP_MS 60000
#define SALT_MAX (1u << 20)

struct server {
	const struct config *config;
	struct outbound *direct;
	struct salt_store *salts;
	struct endpoints *endpoints;
};

static void on_stream(void *owner, struct stream *s, const struct addr *client, const struct target *target)
{
	struct server *server = owner;

	relay_start(s, client, target, server->direct);
}

static const struct inbound_events inbound_events = { .stream = on_stream };

static int open_endpoints(struct server *s)
{
	struct endpoints_options options = {
		.config = s->config,
		.salts = s->salts,
		.out = s->direct,
		.events = &inbound_events,
		.owner = s,
	};
	int err = 0;

	s->endpoints = endpoints_new(&options);
	if (!s->endpoints)
		return -ENOMEM;
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

	s->direct = direct_new(&direct);
	s->salts = salt_store_new(SALT_KEEP_MS, SALT_MAX);
	if (!s->direct || !s->salts)
		return -ENOMEM;
	return open_endpoints(s);
}

static void close_all(struct server *s)
{
	relay_free();
	if (s->endpoints)
		endpoints_free(s->endpoints);
	engine_drain(); /* what ended above is freed by deferred work */
	if (s->direct)
		s->direct->ops->free(s->direct);
	if (s->salts)
		salt_store_free(s->salts);
}

static void upkeep(void *owner)
{
	salt_store_expire(((struct server *)owner)->salts, loop_now());
}

int engine_server(const struct config *config)
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
	if (!err) {
		engine_set_upkeep(upkeep, &server);
		engine_loop();
	}
	close_all(&server);
	if (!err)
		engine_log_summary();
	engine_end();
	return err ? 1 : 0;
}
