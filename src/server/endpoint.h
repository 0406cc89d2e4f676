/* One endpoint of `gatun server`, for endpoints.c and nobody else: what it is, and
 * how it becomes what another config says while its flows run. */
#ifndef GATUN_SERVER_ENDPOINT_H
#define GATUN_SERVER_ENDPOINT_H

#include "base/list.h"
#include "flow/assoc.h"
#include "inbound/ss_relay.h"
#include "inbound/ss_server.h"
#include "inbound/ss_server_udp.h"
#include "server/endpoints.h"
#include "transport/plugin.h"

struct endpoint {
	struct list node;
	struct addr listen; /* which tells endpoints apart */
	char *tag;
	const struct ss_method *method;
	enum config_mode mode;
	uint8_t key[SS_KEY_MAX];
	struct ss_users *users;
	struct plugin *plugin;	  /* or NULL: what has the public address in our place, */
	enum config_mode plugged; /* for this, */
	struct addr local;	  /* while we listen here */
	struct limits *limits;
	struct endpoint_parts {
		struct ss_server *tcp;
		struct ss_server_udp *udp;
		struct ss_relay *relay; /* in place of tcp, and below in place of udp */
		struct ss_relay_udp *relay_udp;
		struct assoc_table *associations;
	} parts, fresh; /* fresh: what a reload opened for it, until all of it is sure */
	bool relay;	/* it passes its users on */
	struct egress *egress, *fresh_egress; /* the same, of the way out */
	struct outbound *relay_out;
	bool only_v6;	/* it is ::, beside one at 0.0.0.0 */
	bool managed;	/* the manager's: no config names it */
	bool named;	/* a reload's mark: the config names it */
};

/* NULL: *err is -errno, the reason logged. Not in a list yet. */
struct endpoint *endpoint_open(const struct endpoints_options *, const struct config_server *, int *err);
/* Stops listening, ends its UDP, forgets and frees it. Its streams end if `flows` says so, else
 * they go on: they need nothing of it. */
void endpoint_close(struct endpoint *, bool flows);

/* Can it become what the config says? Else nothing of it can stay: another plugin, a
 * relay that becomes a server or the other way round, a relay's key. */
bool endpoint_can_become(const struct endpoint *, const struct config_server *);
/* Step 1 of a change: opens what the config wants and the endpoint has not. 0 or -errno, logged. */
int endpoint_prepare(struct endpoint *, const struct endpoints_options *, const struct config_server *);
/* In place of step 2: takes step 1 back. */
void endpoint_withdraw(struct endpoint *);
/* Step 2: it becomes what the config says. It fails only for memory, and logs that. */
void endpoint_apply(struct endpoint *, const struct endpoints_options *, const struct config_server *);

/* One line for each user who did anything. */
void endpoint_log_users(const struct endpoint *);

#endif
