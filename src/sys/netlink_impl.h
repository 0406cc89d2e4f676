/* Between the files of netlink: one request, its answer, and what attributes hold. */
#ifndef GATUN_SYS_NETLINK_IMPL_H
#define GATUN_SYS_NETLINK_IMPL_H

#include <libmnl/libmnl.h>

#include "sys/netlink.h"

#define NETLINK_REQUEST_SIZE 1024 /* our largest request is under 200 bytes */

/* A header in buf (NETLINK_REQUEST_SIZE bytes) with NLM_F_REQUEST and these flags. */
struct nlmsghdr *netlink_request(struct netlink *, char *buf, uint16_t type, uint16_t flags);
/* Sends it and hands every message of the answer to `each` (may be NULL). 0 or -errno; -EINTR: what
 * was dumped changed meanwhile, and the socket is as good as new. */
int netlink_ask(struct netlink *, const struct nlmsghdr *, mnl_cb_t each, void *arg);
/* A dump, again until nothing changed while it ran; `reset` makes arg forget what it was told. An
 * answer that there is no such table is an empty one. */
int netlink_dump(struct netlink *, const struct nlmsghdr *, mnl_cb_t each, void (*reset)(void *arg), void *arg);

/* Attributes by type, those of other kernels' left out; at[0..max]. */
struct netlink_attrs {
	const struct nlattr *at[64];
};
void netlink_parse(const struct nlmsghdr *, size_t header_size, struct netlink_attrs *);
/* The numbers in them; `otherwise` where there is none or it is of another size. */
uint32_t netlink_u32(const struct netlink_attrs *, int type, uint32_t otherwise);
uint8_t netlink_u8(const struct netlink_attrs *, int type);
/* An address of this family; family 0 in what comes back where there is none. */
struct addr netlink_ip(const struct netlink_attrs *, int type, int family);
void netlink_put_ip(struct nlmsghdr *, int type, const struct addr *);

#endif
