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
	/* It was freed, and its last flow has let go of it: so has it of the filter. Or NULL. */
	void (*gone)(void *owner);
	void *owner;
};

/* NULL: out of memory, and nobody is told. Freed while flows use it, it goes with the last of them. */
struct outbound *direct_new(const struct direct_options *);
/* For new flows. rules: of their sockets, copied; NULL: as before. */
void direct_change(struct outbound *, bool allow_local, const struct socket_rules *rules, uint32_t timeout_s);

#endif
