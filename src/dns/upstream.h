/*
 * Questions for the upstream server, through the outbound, over one TCP
 * connection: pipelined, kept while it is busy, made again when it breaks. It
 * does not know who asks or why.
 */
#ifndef GATUN_DNS_UPSTREAM_H
#define GATUN_DNS_UPSTREAM_H

#include "outbound/outbound.h"

struct dns_ask; /* one question under way */

/* `query` is what was asked (under an id of ours); reply_len 0: no answer.
 * Both are borrowed for the call. */
typedef void dns_upstream_done(void *owner, const uint8_t *query, const uint8_t *reply, size_t reply_len);

struct dns_upstream;
/* The outbound is borrowed. NULL: out of memory. */
struct dns_upstream *dns_upstream_new(struct outbound *, const struct target *server);
void dns_upstream_free(struct dns_upstream *); /* questions are forgotten; NULL is none */

/* Never answers synchronously; exactly one call of `done`, within
 * DNS_UPSTREAM_MS, unless cancelled. The query is copied. NULL: too many
 * questions at once, or out of memory. */
struct dns_ask *dns_upstream_ask(struct dns_upstream *, const uint8_t *query, size_t len, dns_upstream_done *done, void *owner);
void dns_upstream_cancel(struct dns_ask *);

/* Less than the 5 s after which stub resolvers give up: they shall be told. */
#define DNS_UPSTREAM_MS 4500

#endif
