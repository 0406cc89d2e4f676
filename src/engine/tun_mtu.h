/* What fits the path to a client's servers, while it runs; engine.h has what a TUN begins with. */
#ifndef GATUN_ENGINE_TUN_MTU_H
#define GATUN_ENGINE_TUN_MTU_H

#include "conf/config.h"

#define TUN_MTU_IPV6_EXTRA 8 /* that many bytes more of an IPv6 packet fit: its header shrinks by 20 outside, its address grows by 12 */

/* The largest IPv4 packet, whatever the device's MTU, whose payload reaches every server in one
 * piece by what the kernel knows now. Does not block; after resolve_init(). INT_MAX: nothing
 * travels in packets. */
int engine_path_mtu(const struct config *);

#endif
