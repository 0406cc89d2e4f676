/*
 * Questions for a resolver nearby, which is reached past the tunnel: by UDP, as
 * it is used to, each from a port of its own; by TCP where the answer does not
 * fit or does not come. Of several the next is asked where one is silent. It
 * does not know who asks or why.
 */
#ifndef GATUN_DNS_NEAR_H
#define GATUN_DNS_NEAR_H

#include "dns/upstream.h"

struct dns_near;
struct dns_near_ask;

#define DNS_NEAR_SERVERS 3 /* what resolv.conf(5) holds */

/* The outbound is borrowed; the servers, 1..DNS_NEAR_SERVERS, are IP addresses. NULL: out of memory. */
struct dns_near *dns_near_new(struct outbound *, const struct addr *servers, int n);
/* Others from now on; questions under way stay with those that they were asked of. */
void dns_near_set(struct dns_near *, const struct addr *servers, int n);
/* Before each question: whoever knows better calls dns_near_set() from here. */
void dns_near_before_ask(struct dns_near *, void (*fn)(void *owner), void *owner);
void dns_near_free(struct dns_near *); /* questions are forgotten; NULL is none */

/* As dns_upstream_ask(), within DNS_UPSTREAM_MS; `query` in done has the asker's own id. */
struct dns_near_ask *dns_near_ask(struct dns_near *, const uint8_t *query, size_t len, dns_upstream_done *done, void *owner);
void dns_near_cancel(struct dns_near_ask *);

#endif
