/*
 * The names of a client: who answers queries that are captured or come to a
 * fake-dns inbound (dns/dns.h), and whom that asks.
 */
#ifndef GATUN_CLIENT_CLIENT_NAMES_H
#define GATUN_CLIENT_CLIENT_NAMES_H

#include "client/client_route.h"
#include "conf/config.h"
#include "inbound/inbound.h"

/*
 * Begins dns/ in `mode`, with the map of fake_names.h, which it opens if nobody has. `proxy`: the way to
 * the resolver behind the tunnel. Where c->captured, names that the route's list sends past
 * the proxy, and those of the tunnel's own servers, are asked of this machine's name servers, by
 * sockets of ours. All is borrowed; without a captured port 53 the route may be NULL.
 * 0 or -errno.
 */
int client_names_open(const struct config *, enum config_dns mode, const struct client_route *, struct outbound *proxy);
/* The config is another one now, and the route has its list. */
void client_names_change(const struct config *, const struct client_route *);
/* Answers at this address too, UDP and TCP, from now on: where queries are redirected. At two
 * addresses at most. 0 or -errno. */
int client_names_listen(const struct addr *, const struct inbound_events *, void *owner);
/* Also without, or after a failed, client_names_open(). */
void client_names_close(void);

/* What must never be asked through the tunnel: the names of its servers and of what is dialled
 * before them. NULL: no memory; the caller frees it. */
struct target *client_names_own(const struct config *, int *n);

#endif
