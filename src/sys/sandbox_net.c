/*
 * The network of a sandbox: lo, one TUN with an address per family, one default
 * route per family into it. Runs inside, with the new namespace's rights.
 *
 * What the kernel would do by itself on such a link is turned off first: no
 * router is ever heard on it, and a link-local address would only make it talk
 * (DAD, MLD, router solicitations) before the command says a word. Those knobs
 * are a courtesy: where /proc/sys is read-only the sandbox works without.
 *
 * A kernel without IPv6 is not an error: the command gets IPv4, and a line.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "sys/netlink.h"
#include "sys/kernel_file.h"
#include "sys/sandbox_parts.h"

#define LO_INDEX 1 /* the first device of every network namespace */
#define PREFIX4 30
#define PREFIX6 64

static void set_knob(const char *path, const char *text)
{
	int err = kernel_file_write(path, text);

	if (err)
		log_debug("cannot write %s err=%s", path, err_name(err));
}

/* ping without a capability: every group that this namespace knows may. */
static void open_ping(void)
{
	static const char path[] = "/proc/sys/net/ipv4/ping_group_range";
	char own[32];

	if (kernel_file_write(path, "0 2147483647") == 0)
		return;
	snprintf(own, sizeof(own), "%u %u", (unsigned)getgid(), (unsigned)getgid());
	set_knob(path, own);
}

static void quiet_ipv6(void)
{
	static const char dir[] = "/proc/sys/net/ipv6/conf/" SANDBOX_DEVICE;
	static const char *const knobs[][2] = {
		{ "addr_gen_mode", "1" }, { "accept_ra", "0" }, { "router_solicitations", "0" }, { "disable_ipv6", "0" },
	};
	char path[128];

	for (size_t i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, knobs[i][0]);
		set_knob(path, knobs[i][1]);
	}
}

static bool kernel_has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static int add_family(struct netlink *n, int ifindex, const struct addr *self, int prefix, const struct addr *gateway)
{
	int err = netlink_add_addr(n, ifindex, self, prefix);

	return err ? err : netlink_add_default_route(n, ifindex, gateway, self);
}

/* Addresses and routes. IPv4 must work; IPv6 may be missing from the kernel. */
static int configure(struct netlink *n, int ifindex, const struct sandbox_options *o)
{
	static const struct netlink_link up = { .up = true };
	int err = netlink_set_link(n, LO_INDEX, &up);

	if (!err)
		err = netlink_set_link(n, ifindex, &up);
	if (!err)
		err = add_family(n, ifindex, &o->self4, PREFIX4, &o->gateway4);
	if (err)
		return err;
	err = kernel_has_ipv6() ? add_family(n, ifindex, &o->self6, PREFIX6, &o->gateway6) : -EAFNOSUPPORT;
	if (err)
		log_warn("IPv6 is off in this kernel, the command has IPv4 only err=%s", err_name(err));
	return 0;
}

int sandbox_open_network(const struct sandbox_options *o, struct tun_features *features, int *tun_fd, char *text,
			 size_t size)
{
	int fd = tundev_open(SANDBOX_DEVICE, o->mtu, features, text, size), err;
	struct netlink n;

	if (fd < 0)
		return fd;
	open_ping();
	quiet_ipv6();
	err = netlink_open(&n);
	if (!err) {
		err = configure(&n, (int)if_nametoindex(SANDBOX_DEVICE), o);
		netlink_close(&n);
	}
	if (err) {
		sandbox_explain_denied(err, "set up the network", text, size);
		close(fd);
		return err;
	}
	*tun_fd = fd;
	return 0;
}
