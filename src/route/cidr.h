/*
 * A set of address prefixes, IPv4 and IPv6, that answers "is this address in
 * any of them" in a number of steps that does not depend on how many there
 * are: at most 6 for IPv4, 22 for IPv6. It is filled, sealed, then asked.
 */
#ifndef GATUN_ROUTE_CIDR_H
#define GATUN_ROUTE_CIDR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

struct cidr_rule;
struct cidr_node;

struct cidr_family {
	struct cidr_rule *rules; /* until it is sealed */
	struct cidr_node *nodes; /* after it; node 0 is the root */
	uint32_t n_rules, rules_room, n_nodes, nodes_room;
};

/* Zero-initialised it is an empty set. */
struct cidr_set {
	struct cidr_family v4, v6;
};

/* The longest prefix of the address's family: 32 or 128. */
unsigned cidr_bits_max(const struct addr *);
/* Adds the prefix of `bits` bits of the address; what stands behind them is
 * ignored. 0, -EINVAL (too many bits), -EBUSY (sealed) or -ENOMEM. */
int cidr_add(struct cidr_set *, const struct addr *, unsigned bits);
/* No more prefixes come. 0 or -ENOMEM. */
int cidr_seal(struct cidr_set *);
/* False before cidr_seal(). The port is ignored. */
bool cidr_contains(const struct cidr_set *, const struct addr *);
bool cidr_is_empty(const struct cidr_set *);
void cidr_free(struct cidr_set *);

#endif
