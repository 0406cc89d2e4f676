/*
 * A service that asks one of two resolvers, as an ACL says: the far one through
 * the tunnel for names that are proxied, the near one for those that are not.
 * A blocked name is refused. A name that only its addresses decide about is
 * asked of both: the near one's answer stands if its addresses go past the
 * proxy, else the far one's. Where proxied names get fake addresses such a name
 * gets one too: who dials it then asks for its addresses.
 */
#ifndef GATUN_DNS_CHOOSER_H
#define GATUN_DNS_CHOOSER_H

#include "dns/near.h"
#include "dns/seen.h"
#include "dns/service.h"
#include "route/acl.h"

struct dns_chooser_options {
	enum config_dns mode;	   /* DNS_FAKE: what is proxied is answered here, with fake addresses */
	const struct acl *acl;	   /* or NULL: everything is asked of `far` */
	struct dns_upstream *far;
	struct dns_near *near;	   /* or NULL: nobody; then there is no list either */
	struct dns_seen *seen;	   /* or NULL: where addresses in answers are noted with their names */
	/* Names that are never asked through the tunnel: those of its own servers. */
	const struct target *own;
	int n_own;
};

/* All of the options is borrowed. NULL: out of memory. */
struct dns_service *dns_chooser_new(const struct dns_chooser_options *);
/* Another list (or none) and other names of its own from now on. */
void dns_chooser_change(struct dns_service *, const struct acl *, const struct target *own, int n_own);
/* When nobody asks it any more (its requests are cancelled, or done). */
void dns_chooser_free(struct dns_service *);

#endif
