/*
 * The name servers that this machine has been given, for those whom its own
 * resolver cannot serve: where port 53 is captured (`gatun up`), a resolver on
 * loopback (systemd-resolved's stub, dnsmasq) would in the end ask us again.
 */
#ifndef GATUN_RESOLVE_SYSTEM_H
#define GATUN_RESOLVE_SYSTEM_H

#include "base/addr.h"

#define RESOLVE_SYSTEM_MAX 3 /* what resolv.conf(5) holds */

/* Those of /etc/resolv.conf that are not on loopback; if it has none, those that
 * systemd-resolved, NetworkManager or resolvconf wrote down beside it. Port 53. Returns
 * how many, 0..RESOLVE_SYSTEM_MAX. */
int resolve_system_servers(struct addr out[RESOLVE_SYSTEM_MAX]);
/* An address by which queries come to us, should it stand in these files: it is none of them.
 * Family 0: there is none, as in the beginning. */
void resolve_system_set_own(const struct addr *);
/* Has any of these files changed since the last call with this `seen`, which begins as 0? */
bool resolve_system_changed(uint64_t *seen);

#endif
