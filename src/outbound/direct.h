/* The outbound that connects by itself: what the server does for its clients. */
#ifndef GATUN_OUTBOUND_DIRECT_H
#define GATUN_OUTBOUND_DIRECT_H

#include "io/socket_rules.h"
#include "outbound/filter.h"
#include "outbound/outbound.h"

struct direct_options {
	bool allow_local;   /* else guard_is_local() targets end with END_DENIED */
	const struct socket_rules *rules; /* or NULL; copied */
	const struct target_filter *filter; /* what else ends so, after the above; or NULL; borrowed */
	uint32_t timeout_s; /* connect */
};

/* NULL: out of memory. */
struct outbound *direct_new(const struct direct_options *);
/* For new flows; the rules of its sockets stay. */
void direct_change(struct outbound *, bool allow_local, uint32_t timeout_s);

#endif
