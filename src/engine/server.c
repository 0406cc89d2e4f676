/*
 * The far end: for each listening address a TCP inbound and a UDP inbound, one
 * direct outbound behind all of them. An endpoint's users outlive whatever they
 * may have opened, and are accounted for in the last lines of the log.
 */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "crypto/salt_store.h"
#include "engine/common.h"
#include "engine/engine.h"
#include "flow/assoc.h"
#include "flow/relay.h"
#include "inbound/ss_server.h"
#include "inbound/ss_server_udp.h"
#include "loop/loop.h"
#include "outbound/direct.h"

/* SIP022: a salt is remembered for as long as its timestamp may pass. */
#define SALT_KEEP_MS 60000
#define SALT_MAX (1u << 20)

struct endpoint {
	struct ss_users *users; /* or NULL: anyone with the key */
	struct ss_server *tcp;
	struct ss_server_udp *udp;
	struct assoc_table *associations;
};

struct server {
	const struct config *config;
	struct outbound *direct;
	struct salt_store *salts;
	struct endpoint *endpoints;
};

static void on_stream(void *owner, struct stream *s, const struct addr *client, const struct target *target)
{
	struct server *server = owner;

	relay_start(s, client, target, server->direct);
}

static const struct inbound_events inbound_events = { on_stream };

static int open_tcp(struct server *s, struct endpoint *e, const struct config_server *c)
{
	struct ss_server_options options = {
		.listen = c->address.ip,
		.method = c->method,
		.key = c->key,
		.users = e->users,
		.salts = s->salts,
		.handshake_s = s->config->timeout,
	};
	int err;

	e->tcp = ss_server_new(&options, &inbound_events, s, &err);
	return e->tcp ? 0 : -err;
}

static int open_udp(struct server *s, struct endpoint *e, const struct config_server *c)
{
	struct assoc_limits limits = engine_assoc_limits(s->config, c->method);

	errno = ENOMEM;
	e->udp = ss_server_udp_new(&c->address.ip, c->method, c->key, e->users);
	if (!e->udp)
		return -errno;
	e->associations = assoc_table_new(ss_server_udp_port(e->udp), s->direct, &limits);
	return e->associations ? 0 : -ENOMEM;
}

static int open_users(struct endpoint *e, const struct config_server *c)
{
	int err = 0;

	if (!c->n_users)
		return 0;
	e->users = ss_users_new(c->method, c->key);
	if (!e->users)
		return -ENOMEM;
	for (int i = 0; i < c->n_users && !err; i++)
		err = ss_users_add(e->users, c->users[i].name, c->users[i].key);
	return err;
}

static void log_user(const struct ss_user *u, const char *where)
{
	struct log_site own = { 0 }; /* one line each, however many come in this second */
	const struct ss_user_counters *n = &u->counters;

	if (log_level() < LOG_LEVEL_INFO || !(n->tcp_flows || n->udp_sessions))
		return;
	log_at(&own, LOG_LEVEL_INFO,
	       "user %s of %s tcp=%llu up=%llu down=%llu udp=%llu up=%llu down=%llu packets_up=%llu packets_down=%llu", u->name,
	       where, (unsigned long long)n->tcp_flows, (unsigned long long)n->tcp_up, (unsigned long long)n->tcp_down,
	       (unsigned long long)n->udp_sessions, (unsigned long long)n->udp_up, (unsigned long long)n->udp_down,
	       (unsigned long long)n->datagrams_up, (unsigned long long)n->datagrams_down);
}

static void log_users(const struct endpoint *e, const struct config_server *c)
{
	char where[TARGET_STRLEN];

	target_format(&c->address, where);
	for (int i = 0; e->users && i < ss_users_count(e->users); i++)
		log_user(ss_users_at(e->users, i), where);
}

static int open_endpoint(struct server *s, struct endpoint *e, const struct config_server *c)
{
	char where[TARGET_STRLEN];
	const char *what = "TCP";
	int err = 0;

	if (target_is_name(&c->address)) {
		log_error("cannot listen on the name %s: give an IP address of this machine, or 0.0.0.0 or [::]",
			  target_format(&c->address, where));
		return -EINVAL;
	}
	err = open_users(e, c);
	if (err) {
		log_error("cannot keep the users of %s err=%s", target_format(&c->address, where), err_name(err));
		return err;
	}
	if (c->mode & MODE_TCP_ONLY)
		err = open_tcp(s, e, c);
	if (!err && (c->mode & MODE_UDP_ONLY)) {
		what = "UDP";
		err = open_udp(s, e, c);
	}
	if (err) {
		log_error("cannot listen on %s (%s): %s err=%s", target_format(&c->address, where), what,
			  err == -EADDRINUSE	  ? "another program has this port"
			  : err == -EACCES	  ? "ports below 1024 need root"
			  : err == -EADDRNOTAVAIL ? "this machine has no such address"
						  : "the system said no",
			  err_name(err));
		return err;
	}
	log_info("listening on %s method=%s mode=%s", target_format(&c->address, where), c->method->name,
		 c->mode == MODE_TCP_ONLY ? "tcp_only" : c->mode == MODE_UDP_ONLY ? "udp_only" : "tcp_and_udp");
	return 0;
}

static void close_endpoints(struct server *s)
{
	for (int i = 0; s->endpoints && i < s->config->n_servers; i++) {
		struct endpoint *e = &s->endpoints[i];

		if (e->tcp)
			ss_server_free(e->tcp);
		if (e->associations)
			assoc_table_free(e->associations);
		if (e->udp)
			ss_server_udp_free(e->udp);
	}
}

/* After every stream has ended: they point to their users. */
static void free_endpoints(struct server *s)
{
	for (int i = 0; s->endpoints && i < s->config->n_servers; i++)
		ss_users_free(s->endpoints[i].users);
	free(s->endpoints);
}

static void log_summary(const struct server *s)
{
	engine_log_summary();
	for (int i = 0; i < s->config->n_servers; i++)
		log_users(&s->endpoints[i], &s->config->servers[i]);
}

static int open_all(struct server *s)
{
	struct direct_options direct = {
		.allow_local = s->config->allow_local,
		.fwmark = s->config->outbound_fwmark,
		.timeout_s = s->config->timeout,
	};

	s->direct = direct_new(&direct);
	s->salts = salt_store_new(SALT_KEEP_MS, SALT_MAX);
	s->endpoints = calloc((size_t)s->config->n_servers, sizeof(*s->endpoints));
	if (!s->direct || !s->salts || !s->endpoints)
		return -ENOMEM;
	for (int i = 0; i < s->config->n_servers; i++) {
		int err = open_endpoint(s, &s->endpoints[i], &s->config->servers[i]);
		if (err)
			return err;
	}
	return 0;
}

static void close_all(struct server *s)
{
	relay_free(); /* before the endpoints: its streams refer to their settings */
	close_endpoints(s);
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
	engine_stop_on_signals();
	err = open_all(&server);
	if (!err)
		err = engine_drop_privileges(config);
	if (!err) {
		engine_set_upkeep(upkeep, &server);
		loop_run();
	}
	close_all(&server);
	if (!err)
		log_summary(&server);
	free_endpoints(&server);
	engine_end();
	return err ? 1 : 0;
}
