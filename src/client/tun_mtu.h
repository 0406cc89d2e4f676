/* What fits the path to a client's servers: when a TUN is made, and while it runs. */
#ifndef GATUN_CLIENT_TUN_MTU_H
#define GATUN_CLIENT_TUN_MTU_H

#include <stdbool.h>

#include "conf/config.h"

#define TUN_MTU_IPV6_EXTRA 8 /* that many bytes more of an IPv6 packet fit: its header shrinks by 20 outside, its address grows by 12 */

/* The TUN's MTU for a client config: what fits the path to the server without
 * outer fragmentation. may_ask: a server's name may be looked up, which blocks. */
int tun_mtu_of(const struct config *, bool may_ask);

/* The largest IPv4 packet, whatever the device's MTU, whose payload reaches every server in one
 * piece by what is known now. Does not block; after resolve_init(). INT_MAX: nothing
 * travels in packets. */
int tun_mtu_of_path(const struct config *);

#endif
