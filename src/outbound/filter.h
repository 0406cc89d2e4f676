/*
 * Which targets may be reached, asked by an outbound that reaches them itself:
 * a name first, then each of its addresses. Who answers (an ACL), is not known
 * in outbound/. Both questions are asked per flow; over UDP once per target.
 */
#ifndef GATUN_OUTBOUND_FILTER_H
#define GATUN_OUTBOUND_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

struct target_filter {
	/* True: the name is not reached, and not even resolved. *named: it is
	 * allowed by name, which deny_addr() of its addresses is then told. */
	bool (*deny_name)(const void *rules, const char *name, size_t len, bool *named);
	bool (*deny_addr)(const void *rules, const struct addr *, bool named);
	const void *rules; /* NULL: nothing is denied, for now */
};

/* A filter may be NULL: then nothing is denied. */
static inline bool filter_is_on(const struct target_filter *f) { return f && f->rules; }
static inline bool filter_denies_name(const struct target_filter *f, const struct target *t, bool *named)
{
	*named = false;
	return filter_is_on(f) && f->deny_name(f->rules, t->name, t->name_len, named);
}
static inline bool filter_denies_addr(const struct target_filter *f, const struct addr *a, bool named)
{
	return filter_is_on(f) && f->deny_addr(f->rules, a, named);
}

#endif
