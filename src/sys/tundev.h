/* Opens TUN devices and probes what they can do. Needs CAP_NET_ADMIN in the
 * network namespace where it is called. */
#ifndef GATUN_SYS_TUNDEV_H
#define GATUN_SYS_TUNDEV_H

#include <stdbool.h>
#include <stddef.h>

/* What a device can do; probed when it is opened and carried with the fd. */
struct tun_features {
	bool vnet_hdr; /* IFF_VNET_HDR with checksum offload and TSO4/6 */
	bool uso;      /* TUN_F_USO4 and 6, and UDP_L4 super-packets accepted on write */
};

/* Creates `name` (IFF_TUN, IFF_NO_PI, IFF_VNET_HDR where possible), enables
 * offloads that the kernel has, each with a fallback, sets txqueuelen and
 * the MTU, leaves it down. Returns the non-blocking, close-on-exec fd, or
 * -errno with a sentence that names what is closed and the command that opens it. */
int tundev_open(const char *name, int mtu, struct tun_features *features, char *err, size_t err_size);

#define TUNDEV_QUEUES_MAX 64

/* The same with n queues, 1 to TUNDEV_QUEUES_MAX, a descriptor each in fds[0..n-1]. More than one:
 * the device must be new (-EBUSY: there is one of this name; ours are never joined to it), and
 * which packet comes to which queue is the kernel's guess until steering_attach(). It ends with
 * the last of its descriptors; a queue ends with its own, and the others take over what is new.
 * 0, or -errno with a sentence and nothing open. */
int tundev_open_queues(const char *name, int mtu, int n, int *fds, struct tun_features *features, char *err, size_t err_size);

#endif
