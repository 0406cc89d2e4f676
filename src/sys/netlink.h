/*
 * The few rtnetlink requests that gatun makes, one at a time, each waiting for
 * the kernel's answer: set-up, never the hot path. They act on the network
 * namespace in which the socket was opened.
 */
#ifndef GATUN_SYS_NETLINK_H
#define GATUN_SYS_NETLINK_H

#include <net/if.h>
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
/* The same, and no route to its prefix comes with it. */
int netlink_add_addr_alone(struct netlink *, int ifindex, const struct addr *, int prefix_len);
/* default via `gateway` dev `ifindex`, with `self` as preferred source. */
int netlink_add_default_route(struct netlink *, int ifindex, const struct addr *gateway, const struct addr *self);

/* --- routes (netlink_route.c) --- */

/* A route with one next hop; of several the first. Constants are those of linux/rtnetlink.h. */
struct netlink_route {
	uint8_t family, type, scope, protocol; /* RTN_*, RT_SCOPE_*, RTPROT_* */
	uint8_t len;			       /* of the prefix */
	uint32_t table, metric;
	int oif;			    /* or 0 */
	struct addr dst, gateway, source;   /* family 0: none; a gateway may be of the other family */
	bool dead;			    /* told by the kernel only: its link is down */
};
/* Adds it beside what is there. -EEXIST: exactly this one is there. */
int netlink_add_route(struct netlink *, const struct netlink_route *);
int netlink_del_route(struct netlink *, const struct netlink_route *);
/* Every route of a table (0: of all), and of a protocol (0: of all), in *routes, malloc'ed. The
 * number, or -errno. */
int netlink_list_routes(struct netlink *, int family, uint32_t table, uint8_t protocol, struct netlink_route **routes);
/* The way that a packet of ours with this mark would go. 0, or -errno as the sender would get. */
int netlink_find_way(struct netlink *, const struct addr *to, uint32_t mark, struct netlink_route *);
bool netlink_same_route(const struct netlink_route *, const struct netlink_route *);

/* --- policy rules (netlink_rule.c) --- */

struct netlink_rule {
	uint8_t family, action, protocol; /* FR_ACT_TO_TBL, FR_ACT_UNREACHABLE, ...; RTPROT_* */
	uint32_t priority, table;
	uint32_t mark, mask;		  /* mask 0: any */
	char iif[IFNAMSIZ];		  /* "": any */
	bool uids;
	uint32_t uid_from, uid_to;
	uint8_t ip_protocol;		  /* 0: any */
	uint16_t port_from, port_to;	  /* destination; 0: any */
	bool not_default;		  /* suppress_prefixlength 0: a default route that it finds does not count */
	bool inverted, narrower;	  /* told by the kernel only; narrower: selects by something else, too */
};
/* -EEXIST: it is there. */
int netlink_add_rule(struct netlink *, const struct netlink_rule *);
int netlink_del_rule(struct netlink *, const struct netlink_rule *);
/* All of a family, in the order in which they are asked, malloc'ed. The number, or -errno. */
int netlink_list_rules(struct netlink *, int family, struct netlink_rule **rules);
bool netlink_same_rule(const struct netlink_rule *, const struct netlink_rule *);

#endif
