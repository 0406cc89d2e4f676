/* CIDR prefixes as somebody wrote them, and lists of them as the kernel wants them. */
#ifndef GATUN_CONF_PREFIX_H
#define GATUN_CONF_PREFIX_H

#include <stdbool.h>

#include "conf/config.h"

#define PREFIX_STRLEN (ADDR_STRLEN + 4)

/* "10.0.0.0/8", "fd00::/8"; an address alone is a prefix of its whole length. The bits behind
 * the prefix are as written. 0 or -EINVAL. */
int prefix_parse(const char *text, struct config_prefix *out);
/* Clears the bits behind the prefix. True if there were any. */
bool prefix_trim(struct config_prefix *);
/* Returns buf, which holds PREFIX_STRLEN. */
char *prefix_format(const struct config_prefix *, char *buf);
/* Does a hold all of b? */
bool prefix_covers(const struct config_prefix *a, const struct config_prefix *b);
/* By family and address, what covers before what is covered. */
void prefixes_sort(struct config_prefixes *);
/* Of a sorted list in which none covers another: the one that covers it, or NULL. */
const struct config_prefix *prefixes_find_cover(const struct config_prefixes *, const struct config_prefix *);

#endif
