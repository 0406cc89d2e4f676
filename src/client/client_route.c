/* See client_route.h: the ACL's verdicts are a split outbound's ways. */
#include "client/client_route.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dns/dns.h"
#include "engine/acls.h"
#include "outbound/direct.h"
#include "outbound/split.h"
#include "route/decide.h"

static_assert((int)ROUTE_PROXY == SPLIT_PROXY && (int)ROUTE_DIRECT == SPLIT_DIRECT && (int)ROUTE_BLOCK == SPLIT_BLOCK &&
	      (int)ROUTE_RESOLVE == SPLIT_RESOLVE, "a verdict is a way");

/* By one file. Flows that began by it hold its outbounds after a reload has named another. */
struct way {
	struct outbound *direct, *split;
	char *path;
	struct acl *acl, *fresh; /* fresh: what a reload read, until all of it is sure */
	struct target_filter filter;
};

struct client_route {
	struct outbound *proxy;
	bool allow_local;
	struct way *way, *next; /* NULL: everything goes by the proxy; next: a reload's */
	bool moves;		/* next is to take its place */
};

/* An address that was asked for by name goes as its name does, unless it is blocked itself. */
static enum split_way decide(const void *rules, const struct target *t)
{
	enum route_verdict by_address = route_target(rules, t), by_name;
	struct target name;

	if (target_is_name(t) || by_address == ROUTE_BLOCK || !dns_seen_name(&t->ip, &name))
		return (enum split_way)by_address;
	by_name = route_target(rules, &name);
	return (enum split_way)(by_name == ROUTE_RESOLVE ? by_address : by_name);
}

static enum split_way decide_resolved(const void *rules, const struct addr *addrs, int n)
{
	return (enum split_way)route_resolved(rules, addrs, n);
}

/* ---- one way ---- */

static void on_direct_gone(void *owner)
{
	struct way *w = owner;

	acl_unref(w->fresh);
	acl_unref(w->acl);
	free(w->path);
	free(w);
	engine_acls_forget();
}

static void on_split_gone(void *owner)
{
	struct way *w = owner;

	w->direct->ops->free(w->direct);
}

/* Its outbounds go when no flow holds them, and it after them. NULL is none. */
static void way_leave(struct way *w)
{
	if (!w)
		return;
	if (w->split)
		w->split->ops->free(w->split);
	else if (w->direct)
		w->direct->ops->free(w->direct);
	else
		on_direct_gone(w);
}

static bool open_outbounds(struct way *w, const struct config *c, const struct client_route *r)
{
	struct direct_options direct = {
		.allow_local = r->allow_local,
		.rules = &c->outbound,
		.filter = &w->filter,
		.timeout_s = c->timeout,
		.gone = on_direct_gone,
		.owner = w,
	};
	struct split_options split = {
		.decide = decide,
		.decide_resolved = decide_resolved,
		.rules = w->acl,
		.proxy = r->proxy,
		.gone = on_split_gone,
		.owner = w,
	};

	w->filter = engine_acl_filter(w->acl);
	split.direct = w->direct = direct_new(&direct);
	w->split = w->direct ? split_new(&split) : NULL;
	return w->split;
}

static struct way *way_new(const struct config *c, const char *path, const struct client_route *r)
{
	struct way *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->path = strdup(path);
	w->acl = w->path ? engine_acl_get(path) : NULL;
	if (w->acl && open_outbounds(w, c, r))
		return w;
	way_leave(w);
	return NULL;
}

/* ---- the route ---- */

struct client_route *client_route_new(const struct config *c, const char *acl, struct outbound *proxy, bool allow_local)
{
	struct client_route *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->proxy = proxy;
	r->allow_local = allow_local;
	r->way = acl ? way_new(c, acl, r) : NULL;
	if (r->way || !acl)
		return r;
	client_route_free(r);
	return NULL;
}

void client_route_free(struct client_route *r)
{
	if (!r)
		return;
	client_route_withdraw(r);
	way_leave(r->way);
	free(r);
}

/* ---- another config ---- */

static bool is_of(const struct way *w, const char *acl)
{
	return w && acl ? strcmp(w->path, acl) == 0 : !w && !acl;
}

int client_route_prepare(struct client_route *r, const struct config *c, const char *acl)
{
	struct acl *read;

	r->moves = !is_of(r->way, acl);
	if (!acl)
		return 0;
	if (r->moves) {
		r->next = way_new(c, acl, r);
		return r->next ? 0 : -EINVAL;
	}
	read = engine_acl_get(acl);
	acl_unref(r->way->fresh);
	r->way->fresh = read;
	return read ? 0 : -EINVAL;
}

void client_route_withdraw(struct client_route *r)
{
	way_leave(r->next);
	r->next = NULL;
	r->moves = false;
	if (!r->way)
		return;
	acl_unref(r->way->fresh);
	r->way->fresh = NULL;
}

static void take_fresh(struct way *w)
{
	split_set_rules(w->split, w->fresh);
	w->filter = engine_acl_filter(w->fresh);
	acl_unref(w->acl);
	w->acl = w->fresh;
	w->fresh = NULL;
	engine_acls_forget();
}

bool client_route_apply(struct client_route *r, const struct config *c)
{
	if (r->moves) {
		way_leave(r->way);
		r->way = r->next;
		r->next = NULL;
		r->moves = false;
		return true;
	}
	if (r->way)
		direct_change(r->way->direct, r->allow_local, &c->outbound, c->timeout);
	if (r->way && r->way->fresh)
		take_fresh(r->way);
	return false;
}

struct outbound *client_route_outbound(const struct client_route *r)
{
	return r->way ? r->way->split : r->proxy;
}

const struct acl *client_route_acl(const struct client_route *r)
{
	return r->way ? r->way->acl : NULL;
}
