/*
 * What the server listens on. An endpoint's users outlive whatever they may have
 * opened, so closing and freeing are two steps.
 */
#include "engine/endpoints.h"

#include <errno.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/list.h"
#include "base/log.h"
#include "engine/common.h"
#include "flow/assoc.h"
#include "inbound/ss_server.h"
#include "inbound/ss_server_udp.h"

struct endpoint {
	struct list node;
	const struct config_server *config;
	struct ss_users *users; /* or NULL: anyone with the key */
	struct ss_server *tcp;
	struct ss_server_udp *udp;
	struct assoc_table *associations;
};

struct endpoints {
	struct endpoints_options options;
	struct list all;
};

static int open_tcp(struct endpoints *s, struct endpoint *e)
{
	const struct config_server *c = e->config;
	struct ss_server_options options = {
		.listen = c->address.ip,
		.method = c->method,
		.key = c->key,
		.users = e->users,
		.salts = s->options.salts,
		.handshake_s = s->options.config->timeout,
	};
	int err;

	e->tcp = ss_server_new(&options, s->options.events, s->options.owner, &err);
	return e->tcp ? 0 : -err;
}

static int open_udp(struct endpoints *s, struct endpoint *e)
{
	const struct config_server *c = e->config;
	struct assoc_limits limits = engine_assoc_limits(s->options.config, c->method);

	errno = ENOMEM;
	e->udp = ss_server_udp_new(&c->address.ip, c->method, c->key, e->users);
	if (!e->udp)
		return -errno;
	e->associations = assoc_table_new(ss_server_udp_port(e->udp), s->options.out, &limits);
	return e->associations ? 0 : -ENOMEM;
}

static int open_users(struct endpoint *e)
{
	const struct config_server *c = e->config;
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

static int open_endpoint(struct endpoints *s, struct endpoint *e)
{
	const struct config_server *c = e->config;
	char where[TARGET_STRLEN];
	const char *what = "TCP";
	int err = 0;

	if (target_is_name(&c->address)) {
		log_error("cannot listen on the name %s: give an IP address of this machine, or 0.0.0.0 or [::]",
			  target_format(&c->address, where));
		return -EINVAL;
	}
	err = open_users(e);
	if (err) {
		log_error("cannot keep the users of %s err=%s", target_format(&c->address, where), err_name(err));
		return err;
	}
	if (c->mode & MODE_TCP_ONLY)
		err = open_tcp(s, e);
	if (!err && (c->mode & MODE_UDP_ONLY)) {
		what = "UDP";
		err = open_udp(s, e);
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

static void close_endpoint(struct endpoint *e)
{
	if (e->tcp)
		ss_server_free(e->tcp);
	if (e->associations)
		assoc_table_free(e->associations);
	if (e->udp)
		ss_server_udp_free(e->udp);
	e->tcp = NULL;
	e->associations = NULL;
	e->udp = NULL;
}

static void free_endpoint(struct endpoint *e)
{
	list_remove(&e->node);
	ss_users_free(e->users);
	free(e);
}

/* ---- in the log ---- */

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

static void log_users(const struct endpoint *e)
{
	char where[TARGET_STRLEN];

	target_format(&e->config->address, where);
	for (int i = 0; e->users && i < ss_users_count(e->users); i++)
		log_user(ss_users_at(e->users, i), where);
}

void endpoints_log_users(const struct endpoints *s)
{
	list_for_each (it, &s->all)
		log_users(container_of(it, struct endpoint, node));
}

/* ---- life ---- */

struct endpoints *endpoints_new(const struct endpoints_options *o)
{
	struct endpoints *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->options = *o;
	list_init(&s->all);
	return s;
}

int endpoints_add(struct endpoints *s, const struct config_server *c)
{
	struct endpoint *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	e->config = c;
	list_init(&e->node);
	err = open_endpoint(s, e);
	if (err) {
		close_endpoint(e);
		free_endpoint(e);
		return err;
	}
	list_append(&s->all, &e->node);
	return 0;
}

void endpoints_close(struct endpoints *s)
{
	list_for_each (it, &s->all)
		close_endpoint(container_of(it, struct endpoint, node));
}

void endpoints_free(struct endpoints *s)
{
	list_for_each_safe (it, &s->all)
		free_endpoint(container_of(it, struct endpoint, node));
	free(s);
}
