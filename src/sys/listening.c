/*
 * /proc/self/net/{tcp,tcp6,udp,udp6}; see listening.h. A line is
 *
 *	   0: 0100007F:1F90 00000000:0000 0A ...
 *
 * with the local address as 32-bit words in the machine's byte order, each in
 * hexadecimal; the last column shown is the state (0A is LISTEN, and 07 stands
 * for a UDP socket without a peer). proc(5) has the rest.
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

/* A line of a table. The inode is its tenth word; a socket that no process has opened has none. */
struct entry {
	char local[40]; /* as parse_address() takes it */
	unsigned port, state;
	unsigned long inode;
};

/* False: the rest of the table need not be read. */
typedef bool take_entry(void *owner, const struct entry *);

static int read_table(const char *path, take_entry *take, void *owner)
{
	FILE *f = fopen(path, "re");
	bool more = true;
	char line[512];
	struct entry e;

	if (!f)
		return -errno;
	while (more && fgets(line, sizeof(line), f))
		if (sscanf(line, " %*[0-9]: %39[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s %lu", e.local, &e.port, &e.state,
			   &e.inode) == 4)
			more = take(owner, &e);
	fclose(f);
	return 0;
}

/* The tables of both families: a machine without IPv6 has one. 0, or -errno where it has neither. */
static int read_tables(bool udp, take_entry *take, void *owner)
{
	int four = read_table(udp ? "/proc/self/net/udp" : "/proc/self/net/tcp", take, owner);
	int six = read_table(udp ? "/proc/self/net/udp6" : "/proc/self/net/tcp6", take, owner);

	return four < 0 && six < 0 ? four : 0;
}

struct search {
	const struct addr *wanted;
	unsigned state;
	bool found;
};

static bool compare_entry(void *owner, const struct entry *e)
{
	struct search *s = owner;
	struct addr bound;

	if (!s->found && e->state == s->state && parse_address(e->local, e->port, &bound))
		s->found = gets(&bound, s->wanted);
	return !s->found;
}

int sys_listening(const struct addr *addr, bool udp)
{
	struct search s = { .wanted = addr, .state = udp ? STATE_UNCONNECTED : STATE_LISTEN };
	int err = read_tables(udp, compare_entry, &s);

	return err ? err : s.found;
}

struct port_list {
	uint16_t *ports;
	int n, max;
};

static void add_port(struct port_list *l, unsigned port)
{
	for (int i = 0; i < l->n; i++)
		if (l->ports[i] == port)
			return;
	if (l->n < l->max)
		l->ports[l->n++] = (uint16_t)port;
}

/* The kernel lists listeners first: the rest of a long table is not read. */
static bool add_listener(void *owner, const struct entry *e)
{
	if (e->state != STATE_LISTEN)
		return false;
	add_port(owner, e->port);
	return true;
}

int sys_listening_ports(uint16_t *ports, int max)
{
	struct port_list l = { .ports = ports, .max = max };
	int err = read_tables(false, add_listener, &l);

	return err ? err : l.n;
}

static bool add_kernel_socket(void *owner, const struct entry *e)
{
	if (e->state == STATE_UNCONNECTED && e->inode == 0)
		add_port(owner, e->port);
	return true;
}

int sys_kernel_udp_ports(uint16_t *ports, int max)
{
	struct port_list l = { .ports = ports, .max = max };
	int err = read_tables(true, add_kernel_socket, &l);

	return err ? err : l.n;
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
