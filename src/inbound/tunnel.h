/*
 * A tunnel inbound: whatever comes to its address, TCP or UDP, goes to one
 * fixed target. What ss-tunnel does.
 */
#ifndef GATUN_INBOUND_TUNNEL_H
#define GATUN_INBOUND_TUNNEL_H

#include "inbound/inbound.h"
#include "io/datagram.h"

struct tunnel_tcp;
/* NULL: *err is the errno of bind or listen. */
struct tunnel_tcp *tunnel_tcp_new(const struct addr *listen, const struct target *forward, const struct inbound_events *, void *owner, int *err);
void tunnel_tcp_free(struct tunnel_tcp *);

struct tunnel_udp;
/* forward: NULL where a choice will be set. NULL: *err is the errno of bind. */
struct tunnel_udp *tunnel_udp_new(const struct addr *listen, const struct target *forward, int *err);
void tunnel_udp_free(struct tunnel_udp *);
/* In place of the target: where a datagram goes, and what of it (it may be changed
 * in place and cut). NULL: nowhere. */
typedef const struct target *tunnel_choice(void *owner, struct slice *datagram);
void tunnel_udp_set_choice(struct tunnel_udp *, tunnel_choice *, void *owner);
/* Bind the association table to it. */
struct datagram_port *tunnel_udp_port(struct tunnel_udp *);

#endif
