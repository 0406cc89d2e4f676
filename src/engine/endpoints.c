/*
 * The registry of what the server listens on: it finds endpoints by their address
 * and changes all of them in two steps, so that a config which cannot be had changes
 * nothing. What one endpoint is, endpoint.c knows.
 */
#include "engine/endpoints.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/endpoint.h"

struct endpoints {
	struct endpoints_options options;
	struct list all;
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
	list_append(to, &e->node);
	return 0;
}

int endpoints_add(struct endpoints *s, const struct config_server *c)
{
	return add(s, &s->all, c, false);
}

/* ---- another config ---- */

/* Step 1: everything that may fail. `fresh` gets the endpoints that there are not yet. */
static int prepare(struct endpoints *s, struct list *fresh)
{
	const struct config *c = s->options.config;
	int err = 0;

	unclaim_all(s);
	for (int i = 0; i < c->n_servers && !err; i++) {
		struct endpoint *e = claim(s, &c->servers[i]);

		if (e && endpoint_can_become(e, &c->servers[i]))
			err = endpoint_prepare(e, &s->options, &c->servers[i]);
		else if (!e)
			err = add(s, fresh, &c->servers[i], false);
	}
	return err;
}

static void withdraw(struct endpoints *s, struct list *fresh)
{
	list_for_each (it, &s->all)
		endpoint_withdraw(container_of(it, struct endpoint, node));
	list_for_each_safe (it, fresh)
		endpoint_close(container_of(it, struct endpoint, node), true);
}

/* With another plugin, or without the one that it had: the port cannot be held while
 * it changes hands. What was open beside the plugin goes on. */
static struct endpoint *replace(struct endpoints *s, struct endpoint *e, const struct config_server *c)
{
	int err;

	endpoint_close(e, false);
	e = endpoint_open(&s->options, c, &err);
	if (e)
		list_append(&s->all, &e->node);
	return e;
}

/* Step 2. */
static void apply(struct endpoints *s)
{
	const struct config *c = s->options.config;

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

int endpoints_update(struct endpoints *s, const struct config *config)
{
	const struct config *old = s->options.config;
	struct list fresh;
	int err;

	list_init(&fresh);
	s->options.config = config;
	err = prepare(s, &fresh);
	if (err) {
		s->options.config = old;
		withdraw(s, &fresh);
		return err;
	}
	apply(s);
	while (!list_empty(&fresh))
		list_move_last(&s->all, fresh.next);
	return 0;
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
