/*
 * A TUN device from /dev/net/tun, with as much offload as this kernel has.
 *
 * Three levels, best first: super-packets of TCP and UDP (kernel 6.2 and
 * newer: TUN_F_USO4 and USO6, which TUNSETOFFLOAD takes only together and only
 * with TUN_F_CSUM), super-packets of TCP, plain packets without a
 * virtio_net_hdr. $GATUN_TUN_OFFLOAD=none|tso|all caps the level: to look
 * at a kernel's offload bug, and to test what lower levels do.
 *
 * The header stays at its 10 bytes (struct virtio_net_hdr) in native byte
 * order; both are set, not assumed. The device is not persistent: it ends with
 * its last descriptor, and that is what fails closed in `run`.
 *
 * Several queues (IFF_MULTI_QUEUE) have a descriptor each; header size and
 * offloads belong to the device and are set by the first.
 */
#include "sys/tundev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "sys/netlink.h"

#define TUN_PATH "/dev/net/tun"
/* The kernel's 500 lose SYNs at 512 connects at once. 150k datagrams/s fill 2000
 * in 13 ms, less than we may wait for a processor on a busy machine. */
#define TXQUEUELEN 8192

/* Since Linux 6.2; older headers lack them. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#define OFFLOAD_TSO (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
#define OFFLOAD_USO (TUN_F_USO4 | TUN_F_USO6)

enum offload { OFFLOAD_NONE, OFFLOAD_TCP, OFFLOAD_ALL };

static enum offload offload_wanted(void)
{
	const char *cap = getenv("GATUN_TUN_OFFLOAD");

	if (cap && strcmp(cap, "none") == 0)
		return OFFLOAD_NONE;
	if (cap && strcmp(cap, "tso") == 0)
		return OFFLOAD_TCP;
	return OFFLOAD_ALL;
}

/* The sentence for a device node that does not open. */
static void explain_open(int err, char *text, size_t size)
{
	struct stat st;

	if (err == -ENOENT)
		snprintf(text, size, "%s does not exist; make it with: sudo sh -c 'modprobe tun; mkdir -p /dev/net; "
			 "mknod -m 666 %s c 10 200' (in a container: start it with --device %s)",
			 TUN_PATH, TUN_PATH, TUN_PATH);
	else if (err == -EACCES && stat(TUN_PATH, &st) == 0 && (st.st_mode & 6) == 6)
		snprintf(text, size, "%s is closed by its file system (nodev) or a security policy; see which with: "
			 "findmnt -T %s", TUN_PATH, TUN_PATH);
	else if (err == -EACCES && stat(TUN_PATH, &st) == 0)
		snprintf(text, size, "%s is closed to this user (mode %04o); open it with: sudo chmod 666 %s",
			 TUN_PATH, (unsigned)st.st_mode & 07777, TUN_PATH);
	else if (err == -ENODEV || err == -ENXIO)
		snprintf(text, size, "%s has no driver in this kernel; load it with: sudo modprobe tun", TUN_PATH);
	else if (err == -EPERM)
		snprintf(text, size, "%s is forbidden here, by a container's device list as a rule; "
			 "start the container with: --device %s", TUN_PATH, TUN_PATH);
	else
		snprintf(text, size, "%s does not open err=%s; look at it with: ls -lL %s", TUN_PATH, err_name(err), TUN_PATH);
}

static void explain_create(int err, const char *name, char *text, size_t size)
{
	if (err == -ENOTTY || err == -EBADFD)
		snprintf(text, size, "%s is not the TUN device; make it anew with: sudo sh -c 'rm -f %s; "
			 "mknod -m 666 %s c 10 200'", TUN_PATH, TUN_PATH, TUN_PATH);
	else if (err == -EBUSY)
		snprintf(text, size, "the device %s is there already; give another name (--device), or, if nobody needs it, remove it with: "
			 "sudo ip link del %s", name, name);
	else
		snprintf(text, size, "cannot create the TUN device %s err=%s%s", name, err_name(err),
			 err == -EPERM ? "; it needs CAP_NET_ADMIN in this network namespace" : "");
}

static int open_node(char *text, size_t size)
{
	int fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC), err;

	if (fd >= 0)
		return fd;
	err = -errno;
	explain_open(err, text, size);
	return err;
}

/* queue: of several, or -1. The first one makes the device and never joins one that is there: a
 * persistent one would outlive us. */
static int create(int fd, const char *name, bool vnet_hdr, int queue)
{
	unsigned flags = IFF_TUN | IFF_NO_PI;
	struct ifreq ifr = { 0 };

	if (vnet_hdr)
		flags |= IFF_VNET_HDR;
	if (queue >= 0)
		flags |= IFF_MULTI_QUEUE;
	if (queue <= 0)
		flags |= IFF_TUN_EXCL;
	ifr.ifr_flags = (short)flags;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ioctl(fd, TUNSETIFF, &ifr) < 0 ? -errno : 0;
}

static int set_offload(int fd, enum offload wanted, struct tun_features *features)
{
	int hdr_size = sizeof(struct virtio_net_hdr);

	if (ioctl(fd, TUNSETVNETHDRSZ, &hdr_size) < 0)
		return -errno;
	if (wanted == OFFLOAD_ALL && ioctl(fd, TUNSETOFFLOAD, (unsigned long)(OFFLOAD_TSO | OFFLOAD_USO)) == 0) {
		features->vnet_hdr = features->uso = true;
		return 0;
	}
	if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)OFFLOAD_TSO) < 0)
		return -errno;
	features->vnet_hdr = true;
	return 0;
}

static int open_queue(const char *name, bool vnet_hdr, int queue, char *text, size_t size)
{
	int fd = open_node(text, size), err;

	if (fd < 0)
		return fd;
	err = create(fd, name, vnet_hdr, queue);
	if (!err)
		return fd;
	explain_create(err, name, text, size);
	close(fd);
	return err;
}

static void close_queues(const int *fds, int n)
{
	for (int i = 0; i < n; i++)
		close(fds[i]);
}

/* One attempt. vnet_hdr cannot be taken back once the device is made, so the
 * lowest level needs fresh descriptors. What is set on one queue holds for all. 0 or -errno. */
static int attempt(const char *name, int n, int *fds, enum offload wanted, struct tun_features *features, char *text, size_t size)
{
	int err = 0;

	*features = (struct tun_features){ 0 };
	for (int i = 0; i < n; i++) {
		fds[i] = open_queue(name, wanted != OFFLOAD_NONE, n > 1 ? i : -1, text, size);
		if (fds[i] >= 0 && i == 0 && wanted != OFFLOAD_NONE)
			err = set_offload(fds[i], wanted, features);
		if (fds[i] < 0 || err) {
			close_queues(fds, fds[i] < 0 ? i : i + 1);
			return err ? err : fds[i];
		}
	}
	return 0;
}

static int set_link(const char *name, int mtu)
{
	struct netlink_link link = { .mtu = mtu, .txqueuelen = TXQUEUELEN };
	struct netlink n;
	int ifindex = (int)if_nametoindex(name), err;

	if (!ifindex)
		return -errno;
	err = netlink_open(&n);
	if (err)
		return err;
	err = netlink_set_link(&n, ifindex, &link);
	netlink_close(&n);
	return err;
}

int tundev_open_queues(const char *name, int mtu, int n, int *fds, struct tun_features *features, char *text, size_t size)
{
	enum offload wanted = offload_wanted();
	int err;

	if (n < 1 || n > TUNDEV_QUEUES_MAX) {
		snprintf(text, size, "a TUN device has 1 to %d queues, not %d", TUNDEV_QUEUES_MAX, n);
		return -ERANGE;
	}
	err = attempt(name, n, fds, wanted, features, text, size);
	/* A node that does not open, or a device that may not be made, does not get better without a header. */
	if (err == -EINVAL && wanted != OFFLOAD_NONE)
		err = attempt(name, n, fds, OFFLOAD_NONE, features, text, size);
	if (err)
		return err;
	err = set_link(name, mtu);
	if (err) {
		snprintf(text, size, "cannot set MTU %d on %s err=%s", mtu, name, err_name(err));
		close_queues(fds, n);
	}
	return err;
}

int tundev_open(const char *name, int mtu, struct tun_features *features, char *text, size_t size)
{
	int fd, err = tundev_open_queues(name, mtu, 1, &fd, features, text, size);

	return err ? err : fd;
}
