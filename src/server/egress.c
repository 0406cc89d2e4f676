/*
 * See egress.h. An egress lives as long as the server: associations hold ports
 * of its outbound, and there are as many as ACL files. The list behind it is
 * replaced as a whole; what is under way was decided, and goes on.
 */
#include "server/egress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "engine/acls.h"
#include "engine/common.h"
#include "flow/assoc.h"
#include "flow/relay.h"
#include "inbound/uot.h"
#include "outbound/direct.h"
#include "proto/uot.h"
#include "route/decide.h"

struct egress {
	struct list node;
	char *path; /* or NULL */
	struct acl *acl, *fresh; /* fresh: what a reload read, until all of it is sure */
	struct target_filter filter;
	struct outbound *direct;
	struct uot_server *uot; /* streams of UDP over TCP */
	struct assoc_table *uot_associations;
};

struct egresses {
	const struct config *config;
	struct list all;
};

/* ---- flows ---- */

struct outbound *egress_outbound(struct egress *e)
{
	return e->direct;
}

enum flow_end egress_admit(const struct egress *e, const struct addr *client)
{
	return e->acl && route_client_denied(e->acl, client) ? END_DENIED : END_DONE;
}

static void take_uot(struct egress *e, struct stream *s, const struct addr *client, int version, struct limits *limits,
		     const struct limits_party *party)
{
	struct limits_flow *limit;
	enum flow_end why = limits_open(limits, party, &limit);

	if (why == END_DONE)
		uot_server_take(e->uot, s, client, version, limit);
	else
		stream_end(s, why);
}

void egress_take_stream(struct egress *e, struct stream *s, const struct addr *client, const struct target *target,
			struct limits *limits, const struct limits_party *party)
{
	int uot = uot_version(target);

	if (uot)
		take_uot(e, s, client, uot, limits, party);
	else
		relay_start_limited(s, client, target, e->direct, limits, party);
}

static enum flow_end on_uot_association(void *owner, const struct assoc_key *key, struct limits_flow **limit)
{
	*limit = uot_server_limit(owner, key);
	return END_DONE;
}

static void on_uot_closed(void *owner, const struct assoc_key *key)
{
	assoc_table_end(owner, key, END_DONE);
}

/* ---- one ---- */

static void set_acl(struct egress *e, struct acl *a)
{
	acl_unref(e->acl);
	e->acl = a;
	e->filter = engine_acl_filter(a);
}

static bool open_uot(struct egress *e, const struct config *c)
{
	struct assoc_limits limits = engine_assoc_limits(c, NULL);

	e->uot = uot_server_new();
	if (!e->uot)
		return false;
	e->uot_associations = assoc_table_new(uot_server_port(e->uot), e->direct, &limits);
	if (!e->uot_associations)
		return false;
	uot_server_on_close(e->uot, on_uot_closed, e->uot_associations);
	assoc_table_limit(e->uot_associations, on_uot_association, e->uot);
	return true;
}

static bool open_egress(struct egress *e, const struct config *c)
{
	struct direct_options options = {
		.allow_local = c->allow_local,
		.rules = &c->outbound,
		.filter = &e->filter,
		.timeout_s = c->timeout,
	};

	e->direct = direct_new(&options);
	return e->direct && open_uot(e, c);
}

static void close_uot(struct egress *e)
{
	if (!e->uot)
		return;
	uot_server_close(e->uot);
	if (e->uot_associations)
		assoc_table_free(e->uot_associations);
	engine_drain();
	uot_server_free(e->uot);
	e->uot = NULL;
	e->uot_associations = NULL;
}

static void free_egress(struct egress *e)
{
	close_uot(e);
	engine_drain();
	if (e->direct)
		e->direct->ops->free(e->direct);
	list_remove(&e->node);
	acl_unref(e->acl);
	free(e->path);
	free(e);
}

/* ---- all ---- */

struct egresses *egresses_new(const struct config *c)
{
	struct egresses *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->config = c;
	list_init(&s->all);
	return s;
}

static bool same_path(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct egress *find(const struct egresses *s, const char *path)
{
	list_for_each (it, &s->all) {
		struct egress *e = container_of(it, struct egress, node);

		if (same_path(path, e->path))
			return e;
	}
	return NULL;
}

static struct egress *add(struct egresses *s, const char *path, struct acl *a)
{
	struct egress *e = calloc(1, sizeof(*e));

	if (!e) {
		acl_unref(a);
		return NULL;
	}
	list_append(&s->all, &e->node);
	set_acl(e, a);
	e->path = path ? strdup(path) : NULL;
	if ((e->path || !path) && open_egress(e, s->config))
		return e;
	free_egress(e);
	return NULL;
}

struct egress *egress_get(struct egresses *s, const char *path)
{
	struct egress *e = find(s, path);
	struct acl *a;

	if (e)
		return e;
	a = path ? engine_acl_get(path) : NULL;
	if (path && !a)
		return NULL;
	e = add(s, path, a);
	if (!e)
		log_error("out of memory");
	return e;
}

void egresses_withdraw(struct egresses *s)
{
	list_for_each (it, &s->all) {
		struct egress *e = container_of(it, struct egress, node);

		acl_unref(e->fresh);
		e->fresh = NULL;
	}
	engine_acls_forget();
}

static bool is_named(const struct config *c, const char *path)
{
	bool named = same_path(c->acl, path);

	for (int i = 0; i < c->n_servers; i++)
		named |= same_path(c->servers[i].acl, path);
	return named;
}

int egresses_prepare(struct egresses *s, const struct config *c)
{
	bool ok = true;

	list_for_each (it, &s->all) {
		struct egress *e = container_of(it, struct egress, node);

		if (!e->path || !is_named(c, e->path))
			continue;
		e->fresh = engine_acl_get(e->path);
		ok &= e->fresh != NULL;
	}
	return ok ? 0 : -EINVAL;
}

void egresses_apply(struct egresses *s, const struct config *c)
{
	struct assoc_limits limits = engine_assoc_limits(c, NULL);

	list_for_each (it, &s->all) {
		struct egress *e = container_of(it, struct egress, node);

		if (e->fresh)
			set_acl(e, e->fresh);
		e->fresh = NULL;
		direct_change(e->direct, c->allow_local, &c->outbound, c->timeout);
		assoc_table_set_limits(e->uot_associations, &limits);
	}
	s->config = c;
	engine_acls_forget();
}

void egresses_close(struct egresses *s)
{
	list_for_each (it, &s->all)
		close_uot(container_of(it, struct egress, node));
}

void egresses_free(struct egresses *s)
{
	while (!list_empty(&s->all))
		free_egress(container_of(s->all.next, struct egress, node));
	engine_acls_forget();
	free(s);
}
