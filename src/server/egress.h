/*
 * How the server's flows leave: a direct outbound behind the outbound lists of
 * one ACL file, or of none, and the server's end of UDP over TCP, whose
 * associations leave the same way. Endpoints with the same file share one.
 */
#ifndef GATUN_SERVER_EGRESS_H
#define GATUN_SERVER_EGRESS_H

#include "conf/config.h"
#include "flow/limits.h"
#include "outbound/outbound.h"

struct egresses;
struct egress;

/* The config is borrowed. NULL: out of memory. */
struct egresses *egresses_new(const struct config *);
/* The one of an ACL file (NULL: of none); it stays until egresses_free().
 * NULL: the file has errors, or out of memory; the reason is logged. */
struct egress *egress_get(struct egresses *, const char *acl);
/* Step 1 of another config: reads the files that it names again. 0, or -EINVAL:
 * one has errors, which are logged; or (also after 0) egresses_withdraw(): nothing changes. */
int egresses_prepare(struct egresses *, const struct config *);
void egresses_withdraw(struct egresses *);
/* Step 2: they become what was read, with the times and limits of the config,
 * which is borrowed in place of the last. */
void egresses_apply(struct egresses *, const struct config *);
/* Ends what came by UDP over TCP; after relay_free(). */
void egresses_close(struct egresses *);
/* After that and the endpoints: nothing leaves any more. */
void egresses_free(struct egresses *);

struct outbound *egress_outbound(struct egress *);
/* May this client come (the client lists of the ACL)? END_DONE or END_DENIED. */
enum flow_end egress_admit(const struct egress *, const struct addr *client);
/* Takes a client's stream to where it wants to go, within what the party may take. */
void egress_take_stream(struct egress *, struct stream *, const struct addr *client, const struct target *, struct limits *,
			const struct limits_party *);

#endif
