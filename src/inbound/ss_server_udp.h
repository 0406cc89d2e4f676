/*
 * The server's UDP inbound: sealed datagrams of Shadowsocks clients in, plain
 * datagrams with their targets out. A client is an address (SIP004) or a
 * session (SIP022). Nothing that fails to verify is ever answered.
 */
#ifndef GATUN_INBOUND_SS_SERVER_UDP_H
#define GATUN_INBOUND_SS_SERVER_UDP_H

#include "crypto/method.h"
#include "inbound/amplification.h"
#include "inbound/inbound.h"
#include "inbound/session_owners.h"
#include "io/datagram.h"
#include "proto/ss_users.h"

struct ss_server_udp;
/* Listens. The key is copied. users: who may come, or NULL: anyone with the key;
 * borrowed. NULL: errno is that of bind, or ENOMEM, ENOTSUP. */
struct ss_server_udp *ss_server_udp_new(const struct addr *listen, const struct ss_method *, const uint8_t *key,
					const struct ss_users *users);
void ss_server_udp_free(struct ss_server_udp *);
/* The key of `users` has changed (ss_users_set_key, which ended all sessions), or whether
 * they must say who they are. Not from inside receive(). 0 or -ENOTSUP, as new. */
int ss_server_udp_set_key(struct ss_server_udp *, const struct ss_method *, const uint8_t *key);
/* Called when a client whose key is known to the table is over before the table says so. */
void ss_server_udp_on_close(struct ss_server_udp *, void (*closed)(void *owner, const struct assoc_key *), void *owner);
/* From now on events->admit is asked about every new client, and about one that
 * has moved to another address, once what he sent was authentic. Borrowed. */
void ss_server_udp_ask(struct ss_server_udp *, const struct inbound_events *events, void *owner);
/* From now on this bounds what goes back to whom; without it nothing does. Copied, but
 * guard->proven is borrowed. */
void ss_server_udp_guard(struct ss_server_udp *, const struct amplification *guard);
/* Where a client of the table is now, in *peer, and whose he is; NULL: there are no users. */
struct ss_user *ss_server_udp_whose(const struct ss_server_udp *, const struct assoc_key *, struct addr *peer);
/* Several workers listen at this address: a datagram of a session that another one
 * has goes there, and a replay is one wherever it lands. Borrowed. */
void ss_server_udp_share(struct ss_server_udp *, struct session_owners *);
/* Bind the association table to it. */
struct datagram_port *ss_server_udp_port(struct ss_server_udp *);
/* The address really bound (port 0 resolved). */
struct addr ss_server_udp_addr(const struct ss_server_udp *);

#endif
