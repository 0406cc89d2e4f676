/* UDP that TPROXY hands us, as a datagram_port. Answers come from their true source. */
#ifndef GATUN_INBOUND_TPROXY_UDP_H
#define GATUN_INBOUND_TPROXY_UDP_H

#include "io/datagram.h"

#define TPROXY_UDP_LISTENERS 2

struct tproxy_udp;
/*
 * Listens at n addresses (1 or 2: 127.0.0.1 and ::1, say; :: takes both families).
 * mark: SO_MARK of the answers, so that rules know them as ours; 0: none.
 * max_payload: the largest UDP payload that the outbound carries; a larger one gets ICMP.
 * Needs CAP_NET_RAW here and for as long as it lives. Keep CAP_NET_BIND_SERVICE as well:
 * without it answers from ports below 1024 go out one by one. NULL: *err is the errno.
 */
struct tproxy_udp *tproxy_udp_new(const struct addr *listen, int n, uint32_t mark, uint32_t max_payload, int *err);
/* After its association table. */
void tproxy_udp_free(struct tproxy_udp *);
/* Bind the association table to it. */
struct datagram_port *tproxy_udp_port(struct tproxy_udp *);

#endif
