/* The ACL files of a config, for `gatun check`. */
#ifndef GATUN_CLI_CHECK_ACL_H
#define GATUN_CLI_CHECK_ACL_H

#include "conf/config.h"
#include "route/acl.h"

struct checked_acls {
	struct checked_acl {
		const char *path; /* the config's */
		struct acl *acl;  /* NULL: it has errors */
	} *items;
	int n;
};

/* Reads every file that the config names, and `more` if it is not NULL, once each; all their problems go to
 * stderr. False: there are errors. */
bool check_acls_read(struct checked_acls *, const struct config *, const char *more);
/* What each of them does, a line each on stdout. */
void check_acls_print(const struct checked_acls *);
/* What each of them says of a host, a name or an address: as a target, and an address as a client too. */
void check_acls_ask(const struct checked_acls *, const char *host);
void check_acls_free(struct checked_acls *);

#endif
