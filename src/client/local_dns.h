/* A dns inbound of `gatun local`: who listens, who decides, whom it asks. */
#ifndef GATUN_CLIENT_LOCAL_DNS_H
#define GATUN_CLIENT_LOCAL_DNS_H

#include "client/client_route.h"
#include "conf/config.h"
#include "inbound/inbound.h"

struct local_dns;

/* `proxy`: the way to the far resolver; the route's list chooses. All borrowed, events and
 * owner too, of which admit alone is asked. NULL: *err is the errno. */
struct local_dns *local_dns_new(const struct config *, const struct config_local *, const struct client_route *,
				struct outbound *proxy, const struct inbound_events *, void *owner, int *err);
/* The config is another one now, and the route has its list. */
void local_dns_change(struct local_dns *, const struct config *, const struct client_route *);
/* Listens no more, and asks nobody. NULL is none. */
void local_dns_free(struct local_dns *);

#endif
