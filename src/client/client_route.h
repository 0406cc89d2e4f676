/*
 * Where the flows of a client's inbounds go: through the proxy, and with an ACL
 * file past it or nowhere, as the file says.
 */
#ifndef GATUN_CLIENT_CLIENT_ROUTE_H
#define GATUN_CLIENT_CLIENT_ROUTE_H

#include "conf/config.h"
#include "outbound/outbound.h"
#include "route/acl.h"

struct client_route;

/* acl: the file, or NULL: everything goes by `proxy`, which is borrowed. What goes past
 * the proxy reaches this machine itself only if allow_local. NULL: the file has errors,
 * or out of memory; the reason is logged. */
struct client_route *client_route_new(const struct config *, const char *acl, struct outbound *proxy, bool allow_local);
/* Its flows may live on. NULL is none. */
void client_route_free(struct client_route *);

/* A reload, step 1: the file is read, the same again or another one or none (NULL). 0, or -EINVAL: it
 * has errors, logged; or (also after 0) client_route_withdraw(): nothing changes. */
int client_route_prepare(struct client_route *, const struct config *, const char *acl);
void client_route_withdraw(struct client_route *);
/* Step 2: new flows go as what was read says, and those that are there as they went. True: the outbound
 * is another one. Not from inside a flow. */
bool client_route_apply(struct client_route *, const struct config *);

struct outbound *client_route_outbound(const struct client_route *);
/* The list, or NULL; of the route. */
const struct acl *client_route_acl(const struct client_route *);

#endif
