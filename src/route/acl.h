/*
 * An access control list: what a file of shadowsocks-libev's or
 * shadowsocks-rust's dialect says, checked and made fast to ask
 * (route/decide.h asks). It never changes once it is made, so that whoever
 * holds a reference may ask it at any time.
 */
#ifndef GATUN_ROUTE_ACL_H
#define GATUN_ROUTE_ACL_H

#include "conf/problem.h"
#include "route/cidr.h"
#include "route/domains.h"
#include "route/regexes.h"

enum acl_list_name {
	ACL_BYPASS, /* [bypass_list], [black_list]: past the proxy; of clients: refused */
	ACL_PROXY,  /* [proxy_list], [white_list]: through it; of clients: let in */
	ACL_BLOCK,  /* [outbound_block_list]: targets that nobody reaches */
	ACL_ALLOW,  /* [outbound_allow_list]: targets that are reached all the same */
	ACL_LISTS
};

struct acl_list {
	struct cidr_set addresses;
	struct domain_set names;
	struct regex_set regexes;
	unsigned n_addresses, n_names, n_regexes; /* as written */
};

struct acl {
	unsigned refs;
	bool bypass_all; /* what no list says goes past the proxy; a client is refused */
	bool block_all;	 /* a target that no outbound list says is not reached */
	struct acl_list lists[ACL_LISTS];
};

#define ACL_FILE_MAX (64u * 1024 * 1024)
#define ACL_LINE_MAX 1024u
#define ACL_RULES_MAX 1000000u
#define ACL_REGEXES_MAX 20000u

/* NULL: an error was added, or (without one) out of memory. All problems of the
 * text are added, up to a bound that is named. */
struct acl *acl_parse(const char *text, size_t len, struct problems *);
/* The file at `path`; problems at least as bad as `least` go to `out`, one
 * "path:line:column: kind: sentence" each. NULL: there was an error. */
struct acl *acl_load(const char *path, enum problem_kind least, FILE *out);
struct acl *acl_ref(struct acl *);
void acl_unref(struct acl *); /* NULL is none */

#endif
