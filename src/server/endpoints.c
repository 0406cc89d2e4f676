/*
 * The registry of what the server listens on: it finds endpoints by their address
 * and changes all of them in two steps, so that a config which cannot be had changes
 * nothing. What one endpoint is, endpoint.c knows.
 */
#include "server/endpoints.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "io/socket_rules.h"
#include "server/endpoint.h"

struct endpoints {
	struct endpoints_options options;
	struct list all;
	/* Of a reload under way: the config of before, and what there is not yet. */
	const struct config *before;
	struct list fresh;
};

/* The endpoint that is to become c: at its address, with a socket that c wants too (two
 * may share an address, one for TCP and one for UDP), and not another's already. */
static struct endpoint *claim(struct endpoints *s, const struct config_server *c)
{
	if (target_is_name(&c->address))
		return NULL;
	list_for_each (it, &s->all) {
		struct endpoint *e = container_of(it, struct endpoint, node);

		if (!e->named && (e->mode & c->mode) && addr_equal(&e->listen, &c->address.ip)) {
			e->named = true;
			return e;
		}
	}
	return NULL;
}

static void unclaim_all(struct endpoints *s)
{
	list_for_each (it, &s->all)
		container_of(it, struct endpoint, node)->named = false;
}

/* ---- :: beside 0.0.0.0 ---- */

static bool is_split(const struct config *c, const struct config_server *six)
{
	struct addr four = { .family = AF_INET, .port = six->address.ip.port };

	if (target_is_name(&six->address) || six->address.ip.family != AF_INET6 || !addr_is_any(&six->address.ip))
		return false;
	for (int i = 0; i < c->n_servers; i++)
		if (addr_equal(&c->servers[i].address.ip, &four) && (c->servers[i].mode & six->mode))
			return true;
	return false;
}

/* Per protocol: :: for both beside 0.0.0.0 for TCP still takes IPv4's datagrams. */
static void split_families(const struct config *c)
{
	socket_rules_split_forget();
	for (int i = 0; i < c->n_servers; i++) {
		const struct addr *a = &c->servers[i].address.ip;

		if (target_is_name(&c->servers[i].address) || a->family != AF_INET || !addr_is_any(a))
			continue;
		if (c->servers[i].mode & MODE_TCP_ONLY)
			socket_rules_split(SOCK_STREAM, a->port);
		if (c->servers[i].mode & MODE_UDP_ONLY)
			socket_rules_split(SOCK_DGRAM, a->port);
	}
}

/* An open socket stays of one family or of both: said aloud, or IPv4 would be lost in silence. */
static int keeps_families(const struct endpoint *e, const struct config *c, const struct config_server *now)
{
	char where[ADDR_STRLEN];

	if (!e->only_v6 || is_split(c, now))
		return 0;
	log_error("%s was opened beside 0.0.0.0, for IPv6 alone: to take IPv4 as well it needs another start",
		  addr_format(&e->listen, where));
	return -EADDRINUSE;
}

/* ---- life ---- */

struct endpoints *endpoints_new(const struct endpoints_options *o)
{
	struct endpoints *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->options = *o;
	list_init(&s->all);
	list_init(&s->fresh);
	split_families(o->config);
	return s;
}

void endpoints_free(struct endpoints *s)
{
	list_for_each_safe (it, &s->all)
		endpoint_close(container_of(it, struct endpoint, node), false);
	free(s);
}

static int add(struct endpoints *s, struct list *to, const struct config_server *c, bool managed)
{
	int err;
	struct endpoint *e = endpoint_open(&s->options, c, &err);

	if (!e)
		return err;
	e->managed = managed;
	e->only_v6 = is_split(s->options.config, c);
	list_append(to, &e->node);
	return 0;
}

int endpoints_add(struct endpoints *s, const struct config_server *c)
{
	return add(s, &s->all, c, false);
}

/* ---- another config ---- */

static int prepare(struct endpoints *s, const struct config *c)
{
	int err = 0;

	unclaim_all(s);
	split_families(c);
	for (int i = 0; i < c->n_servers && !err; i++) {
		struct endpoint *e = claim(s, &c->servers[i]);

		if (e)
			err = keeps_families(e, c, &c->servers[i]);
		if (err)
			break;
		if (e && endpoint_can_become(e, &c->servers[i]))
			err = endpoint_prepare(e, &s->options, &c->servers[i]);
		else if (!e)
			err = add(s, &s->fresh, &c->servers[i], false);
	}
	return err;
}

void endpoints_withdraw(struct endpoints *s)
{
	s->options.config = s->before;
	split_families(s->before);
	list_for_each (it, &s->all)
		endpoint_withdraw(container_of(it, struct endpoint, node));
	list_for_each_safe (it, &s->fresh)
		endpoint_close(container_of(it, struct endpoint, node), true);
}

int endpoints_prepare(struct endpoints *s, const struct config *c)
{
	int err;

	s->before = s->options.config;
	s->options.config = c;
	err = prepare(s, c);
	if (err)
		endpoints_withdraw(s);
	return err;
}

/* With another plugin, or without the one that it had: the port cannot be held while
 * it changes hands. What was open beside the plugin goes on. */
static struct endpoint *replace(struct endpoints *s, struct endpoint *e, const struct config_server *c)
{
	int err;

	endpoint_close(e, false);
	e = endpoint_open(&s->options, c, &err);
	if (e) {
		e->only_v6 = is_split(s->options.config, c);
		list_append(&s->all, &e->node);
	}
	return e;
}

static void become(struct endpoints *s, const struct config *c)
{
	unclaim_all(s); /* and once more, which gives each the same */
	for (int i = 0; i < c->n_servers; i++) {
		struct endpoint *e = claim(s, &c->servers[i]);

		if (!e)
			continue;
		if (endpoint_can_become(e, &c->servers[i]))
			endpoint_apply(e, &s->options, &c->servers[i]);
		else if (!(e = replace(s, e, &c->servers[i])))
			continue;
		e->named = true;
		e->managed = false;
	}
	list_for_each_safe (it, &s->all) {
		struct endpoint *e = container_of(it, struct endpoint, node);

		if (!e->named && !e->managed)
			endpoint_close(e, false);
	}
}

void endpoints_apply(struct endpoints *s)
{
	become(s, s->options.config);
	while (!list_empty(&s->fresh))
		list_move_last(&s->all, s->fresh.next);
}

/* ---- the manager's ---- */

int endpoints_add_managed(struct endpoints *s, const struct config_server *c)
{
	return add(s, &s->all, c, true);
}

int endpoints_remove_port(struct endpoints *s, uint16_t port)
{
	int n = 0;

	list_for_each_safe (it, &s->all) {
		struct endpoint *e = container_of(it, struct endpoint, node);

		if (e->listen.port != port)
			continue;
		endpoint_close(e, true);
		n++;
	}
	return n;
}

/* ---- to look at ---- */

int endpoints_count(const struct endpoints *s)
{
	int n = 0;

	list_for_each (it, &s->all)
		n++;
	return n;
}

void endpoints_view(const struct endpoints *s, int i, struct endpoint_view *out)
{
	const struct endpoint *e;
	struct list *it = s->all.next;

	while (i-- > 0)
		it = it->next;
	e = container_of(it, struct endpoint, node);
	*out = (struct endpoint_view){
		.listen = &e->listen,
		.tag = e->tag,
		.method = e->method,
		.mode = e->mode,
		.users = e->users,
		.managed = e->managed,
	};
}
