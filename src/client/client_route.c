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

struct client_route {
	struct outbound *proxy, *direct, *split; /* the latter two: with a file */
	char *path;
	struct acl *acl, *fresh; /* fresh: what a reload read, until all of it is sure */
	bool allow_local;
	struct target_filter filter;
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

static bool open_split(struct client_route *r, const struct config *c, bool allow_local)
{
	struct direct_options direct = {
		.allow_local = allow_local,
		.rules = &c->outbound,
		.filter = &r->filter,
		.timeout_s = c->timeout,
	};
	struct split_options split = { .decide = decide, .decide_resolved = decide_resolved, .rules = r->acl };

	r->filter = engine_acl_filter(r->acl);
	r->direct = direct_new(&direct);
	split.proxy = r->proxy;
	split.direct = r->direct;
	r->split = r->direct ? split_new(&split) : NULL;
	return r->split;
}

struct client_route *client_route_new(const struct config *c, const char *acl, struct outbound *proxy, bool allow_local)
{
	struct client_route *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->proxy = proxy;
	if (!acl)
		return r;
	r->allow_local = allow_local;
	r->path = strdup(acl);
	r->acl = r->path ? engine_acl_get(acl) : NULL;
	if (r->acl && open_split(r, c, allow_local))
		return r;
	client_route_free(r);
	return NULL;
}

void client_route_free(struct client_route *r)
{
	if (!r)
		return;
	if (r->split)
		r->split->ops->free(r->split);
	if (r->direct)
		r->direct->ops->free(r->direct);
	client_route_withdraw(r);
	acl_unref(r->acl);
	free(r->path);
	free(r);
	engine_acls_forget();
}

/* ---- another config ---- */

int client_route_prepare(struct client_route *r)
{
	if (!r->path)
		return 0;
	r->fresh = engine_acl_get(r->path);
	return r->fresh ? 0 : -EINVAL;
}

void client_route_withdraw(struct client_route *r)
{
	acl_unref(r->fresh);
	r->fresh = NULL;
}

void client_route_apply(struct client_route *r, const struct config *c)
{
	if (r->direct)
		direct_change(r->direct, r->allow_local, c->timeout);
	if (!r->fresh)
		return;
	split_set_rules(r->split, r->fresh);
	r->filter = engine_acl_filter(r->fresh);
	acl_unref(r->acl);
	r->acl = r->fresh;
	r->fresh = NULL;
	engine_acls_forget();
}

struct outbound *client_route_outbound(const struct client_route *r)
{
	return r->split ? r->split : r->proxy;
}

const struct acl *client_route_acl(const struct client_route *r)
{
	return r->acl;
}
