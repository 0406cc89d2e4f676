/*
 * SOCKS5 UDP ASSOCIATE (RFC 1928 section 7): one UDP socket for all
 * associations of an inbound, as one datagram_port. An association lives as
 * long as its control connection, and only the host of that connection may use
 * it.
 */
#ifndef GATUN_INBOUND_SOCKS_UDP_H
#define GATUN_INBOUND_SOCKS_UDP_H

#include "base/addr.h"
#include "io/datagram.h"

struct socks_udp;
struct socks_association;

/* NULL: *err is the errno of bind. */
struct socks_udp *socks_udp_new(const struct addr *listen, int *err);
/* After all control connections. */
void socks_udp_free(struct socks_udp *);
/* Bind the association table to it. */
struct datagram_port *socks_udp_port(struct socks_udp *);
/* Called when an association whose key is known to the table is over. */
void socks_udp_on_close(struct socks_udp *, void (*closed)(void *owner, const struct assoc_key *), void *owner);
/* The address really bound (port 0 resolved). */
struct addr socks_udp_addr(const struct socks_udp *);

/* An association for the client whose control connection comes from `client`;
 * `announced` is the request's DST.ADDR and DST.PORT. NULL: out of memory, or
 * too many. */
struct socks_association *socks_udp_open(struct socks_udp *, const struct addr *client, const struct target *announced);
void socks_udp_close(struct socks_association *);

#endif
