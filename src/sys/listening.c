/*
 * /proc/self/net/{tcp,tcp6,udp,udp6}; see listening.h. A line is
 *
 *	   0: 0100007F:1F90 00000000:0000 0A ...
 *
 * with the local address as 32-bit words in the machine's byte order, each in
 * hexadecimal; the last column shown is the state (0A is LISTEN, and 07 stands
 * for a UDP socket without a peer).
 */
#include "sys/listening.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STATE_LISTEN 0x0a
#define STATE_UNCONNECTED 0x07

/* "0100007F" or four such; false where it is neither. */
static bool parse_address(const char *hex, unsigned port, struct addr *out)
{
	size_t words = strlen(hex) / 8;
	uint32_t raw[4] = { 0 };

	if (words * 8 != strlen(hex) || (words != 1 && words != 4))
		return false;
	for (size_t i = 0; i < words; i++)
		if (sscanf(hex + 8 * i, "%8x", &raw[i]) != 1)
			return false;
	*out = words == 1 ? addr_v4(raw, (uint16_t)port) : addr_v6(raw, (uint16_t)port);
	return true;
}

static bool gets(const struct addr *bound, const struct addr *wanted)
{
	static const struct addr nowhere;

	if (bound->port != wanted->port)
		return false;
	if (memcmp(&bound->ip, &nowhere.ip, sizeof(nowhere.ip)) == 0) /* 0.0.0.0, or :: which takes both */
		return bound->family == AF_INET6 || wanted->family == AF_INET;
	return addr_ip_equal(bound, wanted);
}

static int search(const char *path, const struct addr *wanted, unsigned state)
{
	FILE *f = fopen(path, "re");
	char line[512], local[40];
	unsigned port, found;
	struct addr bound;
	int result = 0;

	if (!f)
		return -errno;
	while (!result && fgets(line, sizeof(line), f))
		if (sscanf(line, " %*[0-9]: %39[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", local, &port, &found) == 3 &&
		    found == state && parse_address(local, port, &bound))
			result = gets(&bound, wanted);
	fclose(f);
	return result;
}

int sys_listening(const struct addr *addr, bool udp)
{
	unsigned state = udp ? STATE_UNCONNECTED : STATE_LISTEN;
	int four = search(udp ? "/proc/self/net/udp" : "/proc/self/net/tcp", addr, state);
	int six = four > 0 ? 0 : search(udp ? "/proc/self/net/udp6" : "/proc/self/net/tcp6", addr, state);

	if (four > 0 || six > 0)
		return 1;
	return four < 0 && six < 0 ? four : 0; /* a machine without IPv6 has no such file */
}

static int add_port(uint16_t *ports, int n, int max, uint16_t port)
{
	for (int i = 0; i < n; i++)
		if (ports[i] == port)
			return n;
	if (n < max)
		ports[n++] = port;
	return n;
}

/* The kernel lists listeners first: the rest of a long table is not read. */
static int collect_ports(const char *path, uint16_t *ports, int n, int max)
{
	FILE *f = fopen(path, "re");
	char line[512];
	unsigned port, state;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %*[0-9]: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &port, &state) != 2)
			continue;
		if (state != STATE_LISTEN)
			break;
		n = add_port(ports, n, max, (uint16_t)port);
	}
	fclose(f);
	return n;
}

int sys_listening_ports(uint16_t *ports, int max)
{
	int four = collect_ports("/proc/self/net/tcp", ports, 0, max);
	int six = collect_ports("/proc/self/net/tcp6", ports, four > 0 ? four : 0, max);

	return six >= 0 ? six : four;
}

/* The inode is the tenth word of a line; a socket that no process has opened has none. */
static int collect_kernel_ports(const char *path, uint16_t *ports, int n, int max)
{
	FILE *f = fopen(path, "re");
	char line[512];
	unsigned port, state;
	unsigned long inode;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " %*[0-9]: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s %lu", &port, &state, &inode) == 3 &&
		    state == STATE_UNCONNECTED && inode == 0)
			n = add_port(ports, n, max, (uint16_t)port);
	fclose(f);
	return n;
}

int sys_kernel_udp_ports(uint16_t *ports, int max)
{
	int four = collect_kernel_ports("/proc/self/net/udp", ports, 0, max);
	int six = collect_kernel_ports("/proc/self/net/udp6", ports, four > 0 ? four : 0, max);

	return six >= 0 ? six : four;
}

int sys_ephemeral_ports(uint16_t *from, uint16_t *to)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	int n;

	if (!f)
		return -errno;
	n = fscanf(f, "%hu %hu", from, to);
	fclose(f);
	return n == 2 && *from && *from <= *to ? 0 : -EINVAL;
}
