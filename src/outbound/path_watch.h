/*
 * Who wants to know when a server's UDP carries datagrams of a length that not every path
 * takes: outbound/path_probe.c, but only while it does not know the path. The question is two
 * comparisons for each batch, and nobody is called while nothing large is sent.
 */
#ifndef GATUN_OUTBOUND_PATH_WATCH_H
#define GATUN_OUTBOUND_PATH_WATCH_H

#include "base/addr.h"
#include "io/network.h"
#include "loop/loop.h"

struct path_watch {
	uint64_t due_ms;  /* before it nothing is asked, in this network */
	uint32_t network; /* io/network.h */
	uint32_t large;	  /* sealed bytes from which on it is one */
	void (*seen)(struct path_watch *, const struct addr *server);
};

static inline bool path_watch_is_due(const struct path_watch *w)
{
	return w->network != network_number || loop_now() >= w->due_ms;
}

#endif
