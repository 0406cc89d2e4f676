/*
 * What an ACL says of a flow: a pure function of the list and of names or
 * addresses. It opens nothing and resolves nothing; where it needs a name's
 * addresses it says so and is asked again with them.
 */
#ifndef GATUN_ROUTE_DECIDE_H
#define GATUN_ROUTE_DECIDE_H

#include "resolve/resolve.h"
#include "route/acl.h"

enum route_verdict {
	ROUTE_PROXY,
	ROUTE_DIRECT,
	ROUTE_BLOCK,
	ROUTE_RESOLVE, /* only of names: ask route_resolved() with the addresses */
};

/* "proxy", "direct", "block", "resolve" */
const char *route_verdict_name(enum route_verdict);

/* Client: where to with this target? */
enum route_verdict route_target(const struct acl *, const struct target *);
/* The same after ROUTE_RESOLVE; no addresses: the name has none. Never ROUTE_RESOLVE. */
enum route_verdict route_resolved(const struct acl *, const struct addr *, int n);

/* Server: may this client come? By its IP address. */
bool route_client_denied(const struct acl *, const struct addr *);

/* Outbound lists, server and client: may this name be reached? *named: a list
 * allows it by its name, which is what its addresses are asked with. */
bool route_name_denied(const struct acl *, const char *name, size_t len, bool *named);
/* May this address be reached, which is a target itself or one of a name's? */
bool route_address_denied(const struct acl *, const struct addr *, bool named);

#endif
