/*
 * The few rtnetlink requests that gatun makes, one at a time, each waiting for
 * the kernel's answer: set-up, never the hot path. They act on the network
 * namespace in which the socket was opened.
 */
#ifndef GATUN_SYS_NETLINK_H
#define GATUN_SYS_NETLINK_H

#include <stdbool.h>

#include "base/addr.h"

struct mnl_socket;

struct netlink {
	struct mnl_socket *socket;
	unsigned seq;
};

int netlink_open(struct netlink *); /* 0 or -errno */
void netlink_close(struct netlink *);

/* What netlink_set_link changes; 0 leaves it alone. */
struct netlink_link {
	int mtu;
	int txqueuelen;
	bool up;
};
/* All of these: 0, or -errno as the kernel answered. */
int netlink_set_link(struct netlink *, int ifindex, const struct netlink_link *);
/* An address that is usable at once: no duplicate address detection. */
int netlink_add_addr(struct netlink *, int ifindex, const struct addr *, int prefix_len);
/* default via `gateway` dev `ifindex`, with `self` as preferred source. */
int netlink_add_default_route(struct netlink *, int ifindex, const struct addr *gateway, const struct addr *self);

#endif
