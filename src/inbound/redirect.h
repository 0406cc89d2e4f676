/*
 * TCP that the kernel redirected to us: TPROXY, or REDIRECT by NAT. Its own TCP
 * stands in front, so a client is connected before its target is known to be
 * there; one whose way fails is reset.
 */
#ifndef GATUN_INBOUND_REDIRECT_H
#define GATUN_INBOUND_REDIRECT_H

#include "inbound/inbound.h"

/* How the target is learned: TPROXY leaves it as the connection's own address;
 * for NAT conntrack remembers it. */
enum redirect_how { REDIRECT_TPROXY = 1, REDIRECT_NAT };

struct redirect_tcp;
/* mark: SO_MARK of what goes back to clients, so that rules know it as ours; 0: none.
 * TPROXY and a mark need CAP_NET_RAW, here alone. NULL: *err is the errno. */
struct redirect_tcp *redirect_tcp_new(const struct addr *listen, enum redirect_how, uint32_t mark, const struct inbound_events *,
				      void *owner, int *err);
/* Listens no more; streams that were handed over live on. */
void redirect_tcp_free(struct redirect_tcp *);

#endif
