/*
 * The UDP association table: joins an inbound datagram_port to one outbound
 * port per association, once, for every inbound and outbound. See assoc.c for
 * its theory of operation.
 */
#ifndef GATUN_FLOW_ASSOC_H
#define GATUN_FLOW_ASSOC_H

#include <stdint.h>

#include "flow/counters.h"
#include "flow/limits.h"
#include "outbound/outbound.h"

struct assoc_limits {
	uint32_t max;	      /* associations; 0 = half of RLIMIT_NOFILE */
	uint32_t idle_s;      /* 300 */
	uint32_t unreplied_s; /* 30 */
	uint32_t dns_s;	      /* 10: all traffic so far went to port 53 */
};

struct assoc_table;
/* Binds `in`. Every association gets its port from `out`. NULL: out of memory. */
struct assoc_table *assoc_table_new(struct datagram_port *in, struct outbound *out, const struct assoc_limits *);
/* From now on open() is asked about every new association: END_DONE, with the limits
 * of its datagrams (or NULL), which are the table's to close; or it is refused. */
void assoc_table_limit(struct assoc_table *, enum flow_end (*open)(void *owner, const struct assoc_key *, struct limits_flow **),
		       void *owner);
/* Ends the association of this key, if there is one: the inbound knows that its
 * client is gone. Not from inside the inbound's receive(). */
void assoc_table_end(struct assoc_table *, const struct assoc_key *, enum flow_end);
/* Other limits from now on; who is over them leaves with time. */
void assoc_table_set_limits(struct assoc_table *, const struct assoc_limits *);
/* New associations get their ports from `out`; those that stand keep theirs. */
void assoc_table_set_out(struct assoc_table *, struct outbound *out);
/* Ends all associations. */
void assoc_table_free(struct assoc_table *);

#endif
