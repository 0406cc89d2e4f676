/*
 * What one client, or one user, may take of an endpoint: bytes per second, new
 * flows per second, flows at a time. See limits.c for its theory of operation.
 *
 * A flow that something limits has a struct limits_flow; one that nothing
 * limits has NULL, and costs one branch.
 */
#ifndef GATUN_FLOW_LIMITS_H
#define GATUN_FLOW_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "io/flow_end.h"

/* 0 is no limit. Bytes are payload, both directions of TCP and UDP together. */
struct limits_rates {
	uint32_t client_bytes_per_s, client_flows_per_s, client_flows;
	uint32_t user_bytes_per_s, user_flows_per_s;
};

/* Whose flow it is. */
struct limits_party {
	struct addr client; /* its port means nothing; family 0: nobody knows */
	bool has_user;
	uint64_t user; /* tells the users of one struct limits apart */
	uint32_t user_bytes_per_s, user_flows_per_s; /* this user's own; 0: as everybody's */
};

struct limits;
struct limits_flow;

/* NULL: no memory. */
struct limits *limits_new(const struct limits_rates *);
/* Other rates from now on, for flows that stand as well. */
void limits_set(struct limits *, const struct limits_rates *);
/* Flows may outlive it; it is freed with the last. NULL is nothing. */
void limits_free(struct limits *);

/* Would a flow of this client be refused now? END_DONE, or END_LIMIT, counted by
 * its reason. Charges nobody. l may be NULL: nothing is limited. */
enum flow_end limits_admit(struct limits *l, const struct addr *client);
/* Begins a flow. END_DONE with *flow (NULL: nothing limits it), or END_LIMIT,
 * counted by its reason. l may be NULL. */
enum flow_end limits_open(struct limits *l, const struct limits_party *, struct limits_flow **flow);
/* Ends it; no resume after it. NULL is nothing. */
void limits_close(struct limits_flow *);

/* ---- TCP: back-pressure ---- */

/* resume(owner, direction), never from inside a call: the direction that was told
 * to wait may ask again. */
void limits_bind(struct limits_flow *, void (*resume)(void *owner, int direction), void *owner);
/* How much of `want` bytes may pass in this direction (0 or 1) now. Fewer than
 * wanted: resume follows. Charge what did pass before asking again. */
size_t limits_ask(struct limits_flow *, int direction, size_t want);
void limits_charge(struct limits_flow *, size_t bytes);

/* ---- UDP: what is over the rate is dropped ---- */

/* True: it may pass, and is charged. */
bool limits_pass(struct limits_flow *, size_t bytes);

/* Clients and users remembered now; for tests and status. */
size_t limits_accounts(const struct limits *);

#endif
