/*
 * A set of regular expressions over names, compiled once, each match bounded:
 * names come from strangers, and no name may cost more than a bound of steps,
 * whatever the expressions are. Unlike route/cidr.h and route/domains.h asking
 * costs as much as there are expressions.
 */
#ifndef GATUN_ROUTE_REGEXES_H
#define GATUN_ROUTE_REGEXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct regex_tools;

/* Zero-initialised it is an empty set. */
struct regex_set {
	void **codes; /* pcre2_code */
	unsigned n;
	uint32_t room;
	struct regex_tools *tools;
};

/* What was said of an expression that does not compile, and where. */
struct regex_error {
	char text[160];
	size_t at; /* bytes into the pattern */
};

/* Case does not matter, nothing is anchored. 0, -EINVAL with *why filled, or
 * -ENOMEM. */
int regex_add(struct regex_set *, const char *pattern, size_t len, struct regex_error *why);
/* `unsure`: what to say when an expression cannot be decided within its bound. */
bool regex_matches(const struct regex_set *, const char *name, size_t len, bool unsure);
void regex_free(struct regex_set *);

#endif
