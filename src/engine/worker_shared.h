/*
 * What workers must have in common, in memory that the supervisor maps before it
 * forks: the salts that were seen (a replay may land at another worker), who has
 * which UDP session, the addresses that have proven themselves (a client's TCP and
 * its UDP may come to two), and a page of counters each, where a worker leaves its
 * numbers now and then and when it ends. It outlives every worker.
 */
#ifndef GATUN_ENGINE_WORKER_SHARED_H
#define GATUN_ENGINE_WORKER_SHARED_H

#include <stdbool.h>

#include "crypto/salt_store.h"
#include "crypto/salt_table.h"
#include "flow/counters.h"
#include "inbound/proven.h"
#include "inbound/session_owners.h"
#include "io/own_sockets.h"

struct worker_shared {
	int n; /* workers */
	struct salt_store *salts;     /* SIP022 */
	struct salt_table *old_salts; /* SIP004, unless it is in a file */
	struct session_owners *owners;
	struct proven *proven;
	struct own_sockets *sockets;  /* of `up` */
	struct flow_counters *counters; /* [n], as last told */
};

/* The salts that a server remembers. NULL: no memory. */
struct salt_store *worker_salts_new(bool shared);

/* NULL: no memory. */
struct worker_shared *worker_shared_new(int n);
void worker_shared_free(struct worker_shared *);

#endif
