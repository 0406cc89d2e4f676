/*
 * What changes in this process's network namespace: links, addresses, routes
 * and rules, told once things have settled. Needs no privileges. It says that
 * something is different and which addresses are gone; what follows from that is
 * for others to know.
 */
#ifndef GATUN_SYS_NETWATCH_H
#define GATUN_SYS_NETWATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum netwatch_what {
	NETWATCH_LINK = 1,	  /* one came or went, or went up or down */
	NETWATCH_MTU = 2,	  /* a link has told its MTU */
	NETWATCH_ADDR = 4,	  /* an address was added */
	NETWATCH_ADDR_GONE = 8,	  /* an address was removed */
	NETWATCH_DEFAULT = 16,	  /* a default route, of whatever table */
	NETWATCH_ROUTE = 32,	  /* another route */
	NETWATCH_RULE = 64,
	NETWATCH_ALL = 127,	  /* messages were lost: any of these */
	NETWATCH_WAKE = 128	  /* the machine was suspended */
};

struct netwatch_change {
	unsigned what; /* of enum netwatch_what */
	/* Addresses (port 0) that the machine had when it was last asked and has no
	 * more; one that came back before the dust settled is not among them. */
	const struct addr *gone;
	size_t n_gone;
};

/* From the loop, when nothing has changed for NETWATCH_QUIET_MS, and NETWATCH_LATE_MS after
 * the first change at the latest. */
#define NETWATCH_QUIET_MS 100
#define NETWATCH_LATE_MS 1000
typedef void netwatch_changed(void *owner, const struct netwatch_change *);

struct netwatch;
/* NULL: *err is -errno. */
struct netwatch *netwatch_open(netwatch_changed *, void *owner, int *err);
void netwatch_close(struct netwatch *); /* NULL is none */
/* Is this an address of the machine's (its port means nothing), as last seen? */
bool netwatch_is_ours(const struct netwatch *, const struct addr *);

/* What the messages of one datagram from the kernel say: bits of enum netwatch_what.
 * Whatever is cut short or makes no sense counts as NETWATCH_ALL. No state. */
unsigned netwatch_read(const void *messages, size_t len);

#endif
