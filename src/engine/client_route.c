/* See client_route.h: the ACL's verdicts are a split outbound's ways. */
#include "engine/client_route.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "engine/acls.h"
#include "outbound/direct.h"
#include "outbound/split.h"
#include "route/decide.h"

static_assert((int)ROUTE_PROXY == SPLIT_PROXY && (int)ROUTE_DIRECT == SPLIT_DIRECT && (int)ROUTE_BLOCK == SPLIT_BLOCK &&
	      (int)ROUTE_RESOLVE == SPLIT_RESOLVE, "a verdict is a way");

struct client_route {
	struct outbound *proxy, *direct, *split; /* the latter two: with a file */
	struct acl *acl;
	struct target_filter filter;
};

static enum split_way decide(const void *rules, const struct target *t)
{
	return (enum split_way)route_target(rules, t);
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
	r->acl = engine_acl_get(acl);
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
	acl_unref(r->acl);
	free(r);
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

struct outbound *client_route_direct(const struct client_route *r)
{
	return r->direct;
}
