/*
 * A set of names: exact ones, and whole domains with or without the name at
 * their top. Asking costs one pass over the name, however many rules there are.
 * Names are ASCII, in lower case, without a last dot.
 */
#ifndef GATUN_ROUTE_DOMAINS_H
#define GATUN_ROUTE_DOMAINS_H

#include <stdbool.h>

#include "base/hash.h"

enum domain_cover {
	DOMAIN_ITSELF = 1, /* the name */
	DOMAIN_BELOW = 2,  /* every name that ends in "." and it */
	DOMAIN_ALL = DOMAIN_ITSELF | DOMAIN_BELOW,
};

struct domain;

/* Zero-initialised it is an empty set. */
struct domain_set {
	struct hash names;
	struct domain *all;
	unsigned depth; /* labels of the longest rule */
};

/* The same name may come again, for more. 0, -EINVAL (empty, or over 253
 * bytes) or -ENOMEM. */
int domain_add(struct domain_set *, const char *name, size_t len, enum domain_cover);
bool domain_contains(const struct domain_set *, const char *name, size_t len);
bool domain_is_empty(const struct domain_set *);
void domain_free(struct domain_set *);

#endif
