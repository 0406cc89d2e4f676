/* What the kernel knows of the path to a host. */
#ifndef GATUN_SYS_UPLINK_H
#define GATUN_SYS_UPLINK_H

#include "base/addr.h"

#include "io/socket_rules.h"

/*
 * The MTU of the path to `server`, for a socket with these rules (or NULL), as the kernel knows it now: the device's, a
 * route's, or what path MTU discovery has learnt. No packet is sent. At most
 * 65535 (loopback says 65536, which no IP packet can be).
 * Returns bytes, or -errno: -ENETUNREACH if there is no route,
 * -EAFNOSUPPORT for an address without family.
 */
int sys_uplink_mtu(const struct addr *server, const struct socket_rules *);

#endif
