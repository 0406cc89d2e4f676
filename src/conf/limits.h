/* The object "limits": of the top level, of a server, of a user; as written
 * (struct limits_spec) and as used (struct config_limits). */
#ifndef GATUN_CONF_LIMITS_H
#define GATUN_CONF_LIMITS_H

#include "conf/spec.h"

/* What `to` does not say is as `from` says. */
void limits_inherit(struct limits_spec *to, const struct limits_spec *from);
struct config_limits limits_of(const struct limits_spec *);

#endif
