/*
 * A relay of SIP023: clients whose password is RELAYKEY:KEY[:...] say in their
 * first identity whom KEY belongs to; the relay takes that identity away and
 * passes the rest on to him as it is. It never has KEY's session keys, so it
 * reads nothing of what it passes on.
 */
#ifndef GATUN_INBOUND_SS_RELAY_H
#define GATUN_INBOUND_SS_RELAY_H

#include "inbound/inbound.h"
#include "inbound/tunnel.h"
#include "proto/ss_users.h"

struct ss_relay_options {
	struct addr listen;
	const struct ss_method *method; /* one that has identities */
	const struct ss_users *users;	/* each with his `next`; borrowed, may change */
	uint32_t handshake_s;		/* how long a client may take to say whom it wants */
};

struct ss_relay;
/* Its streams want the `next` of their user. NULL: *err is the errno of bind or listen. */
struct ss_relay *ss_relay_new(const struct ss_relay_options *, const struct inbound_events *, void *owner, int *err);
/* After the owner has ended the streams that it was given. */
void ss_relay_free(struct ss_relay *);

struct ss_relay_udp;
/* NULL: *err is the errno of bind. key: the relay's own, copied. */
struct ss_relay_udp *ss_relay_udp_new(const struct addr *listen, const struct ss_method *, const uint8_t *key,
				      const struct ss_users *, int *err);
void ss_relay_udp_free(struct ss_relay_udp *);
/* Bind the association table to it. */
struct datagram_port *ss_relay_udp_port(struct ss_relay_udp *);

#endif
