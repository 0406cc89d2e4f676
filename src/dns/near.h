/*
 * Questions for a resolver nearby, which is reached past the tunnel: by UDP, as
 * it is used to, each from a port of its own; by TCP where the answer does not
 * fit or does not come. It does not know who asks or why.
 */
#ifndef GATUN_DNS_NEAR_H
#define GATUN_DNS_NEAR_H

#include "dns/upstream.h"

struct dns_near;
struct dns_near_ask;

/* The outbound is borrowed; the server is an IP address. NULL: out of memory. */
struct dns_near *dns_near_new(struct outbound *, const struct addr *server);
void dns_near_free(struct dns_near *); /* questions are forgotten; NULL is none */

/* As dns_upstream_ask(), within DNS_UPSTREAM_MS; `query` in done has the asker's own id. */
struct dns_near_ask *dns_near_ask(struct dns_near *, const uint8_t *query, size_t len, dns_upstream_done *done, void *owner);
void dns_near_cancel(struct dns_near_ask *);

#endif
