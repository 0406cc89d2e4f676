/*
 * The server's end of UDP over TCP: streams that were opened to one of its
 * domains (proto/uot.h) as one datagram_port, an association each. It does not
 * know which inbound a stream came from.
 */
#ifndef GATUN_INBOUND_UOT_H
#define GATUN_INBOUND_UOT_H

#include "flow/limits.h"
#include "io/datagram.h"
#include "io/stream.h"

struct uot_server;
/* NULL: out of memory. */
struct uot_server *uot_server_new(void);
/* Before the association table that is bound to its port: ends all streams. */
void uot_server_close(struct uot_server *);
/* After it. */
void uot_server_free(struct uot_server *);
/* Bind the association table to it. */
struct datagram_port *uot_server_port(struct uot_server *);
/* Called when a stream whose key is known to the table has ended. */
void uot_server_on_close(struct uot_server *, void (*closed)(void *owner, const struct assoc_key *), void *owner);
/* Takes a stream that a client opened to a target of uot_version() `version`, and the
 * limits of what it carries (or NULL). */
void uot_server_take(struct uot_server *, struct stream *, const struct addr *client, int version, struct limits_flow *limit);
/* Hands these limits over to the association that begins (assoc_table_limit). */
struct limits_flow *uot_server_limit(struct uot_server *, const struct assoc_key *);

#endif
