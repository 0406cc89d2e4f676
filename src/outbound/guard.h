/* Targets that a server must not reach for strangers unless told to
 * (--allow-local): itself, its link, and cloud metadata services. */
#ifndef GATUN_OUTBOUND_GUARD_H
#define GATUN_OUTBOUND_GUARD_H

#include <stdbool.h>

#include "base/addr.h"

/* Loopback, link-local, multicast, broadcast, "this network", unspecified, the
 * metadata addresses, and the NAT64 (RFC 6052) forms of all of these. Ask
 * after resolving. */
bool guard_is_local(const struct addr *);

#endif
