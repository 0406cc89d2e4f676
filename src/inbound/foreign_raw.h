/*
 * Raw sockets that send packets of one protocol in the name of others, and receive
 * nothing. What a datagram socket cannot say goes by them: a port that cannot be
 * bound, an ICMP error. One call each; nothing is queued. Needs CAP_NET_RAW.
 */
#ifndef GATUN_INBOUND_FOREIGN_RAW_H
#define GATUN_INBOUND_FOREIGN_RAW_H

#include <sys/uio.h>

#include "base/addr.h"
#include "io/socket_rules.h"

/* A descriptor of the caller's, or -errno. protocol: IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6. */
int foreign_raw_open(int family, int protocol, const struct socket_rules *);
/* One packet from -> to (one family; their ports mean nothing here): iov is what follows the IP header. Checksums
 * over IPv4 are the caller's, over IPv6 the kernel's. 0 or -errno. */
int foreign_raw_send(int fd, const struct addr *from, const struct addr *to, struct iovec *iov, int n);

#endif
