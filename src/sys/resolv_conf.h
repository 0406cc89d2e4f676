/* resolv.conf: that of a sandbox, and the name servers in one. */
#ifndef GATUN_SYS_RESOLV_CONF_H
#define GATUN_SYS_RESOLV_CONF_H

#include <stddef.h>

#include "base/addr.h"

/*
 * The host's resolv.conf with its name servers replaced by `gateway`: search,
 * domain, options and sortlist lines stay as they are (resolv.conf(5)). `old`
 * need not be terminated, and len may be 0. Writes at most `size` bytes, whole
 * lines, and returns their number.
 */
size_t sys_resolv_conf_make(const char *old, size_t len, const struct addr *gateway, char *out, size_t size);

/* The name servers in it, at most `max`, in its order; addresses with a zone (fe80::1%eth0) are
 * left out. `text` need not be terminated. Returns how many. */
int sys_resolv_conf_servers(const char *text, size_t len, uint16_t port, struct addr *out, int max);

#endif
