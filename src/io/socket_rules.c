/* Rules onto sockets; see socket_rules.h for which must hold. */
#include "io/socket_rules.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#define FAST_OPEN_QUEUE 256

struct socket_rules socket_rules_listeners;
static const struct socket_rules none;

bool socket_rules_same_way(const struct socket_rules *a, const struct socket_rules *b)
{
	return a->fwmark == b->fwmark && strcmp(a->device, b->device) == 0 && addr_equal(&a->source4, &b->source4) &&
	       addr_equal(&a->source6, &b->source6);
}

void socket_rules_set_listeners(const struct socket_rules *r)
{
	socket_rules_listeners = *r;
}

static uint8_t split[2][(UINT16_MAX + 1) / 8]; /* by type and port; its pages are not there until one is set */
static bool any_split;

static uint8_t *split_byte(int type, uint16_t port)
{
	return &split[type == SOCK_DGRAM][port / 8];
}

void socket_rules_split(int type, uint16_t port)
{
	*split_byte(type, port) |= (uint8_t)(1u << port % 8);
	any_split = true;
}

void socket_rules_split_forget(void)
{
	if (any_split)
		memset(split, 0, sizeof(split));
	any_split = false;
}

bool socket_rules_only_v6(int type, const struct addr *a)
{
	return socket_rules_listeners.ipv6_only || (addr_is_any(a) && (*split_byte(type, a->port) >> a->port % 8 & 1));
}

static void wish(int fd, int level, int name, int value)
{
	setsockopt(fd, level, name, &value, sizeof(value));
}

/* What must hold. */
static int direct(int fd, const struct socket_rules *r)
{
	if (r->fwmark && setsockopt(fd, SOL_SOCKET, SO_MARK, &r->fwmark, sizeof(r->fwmark)) < 0)
		return -errno;
	if (r->device[0] && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, r->device, (socklen_t)strlen(r->device)) < 0)
		return -errno;
	return 0;
}

void socket_rules_keepalive(int fd, uint32_t idle_s)
{
	wish(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	wish(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)idle_s);
	wish(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)(idle_s + 3) / 4);
}

static void tune_tcp(int fd, const struct socket_rules *r)
{
	if (r->send_buffer)
		wish(fd, SOL_SOCKET, SO_SNDBUF, (int)r->send_buffer);
	if (r->receive_buffer)
		wish(fd, SOL_SOCKET, SO_RCVBUF, (int)r->receive_buffer);
	if (r->fast_open)
		wish(fd, IPPROTO_TCP, TCP_FASTOPEN, FAST_OPEN_QUEUE);
	if (r->keepalive_s)
		socket_rules_keepalive(fd, r->keepalive_s);
}

int socket_rules_open(int family, int type, const struct socket_rules *rules)
{
	const struct socket_rules *r = rules ? rules : &none;
	int flags = type | SOCK_NONBLOCK | SOCK_CLOEXEC, fd = -1, err;

	if (r->mptcp && type == SOCK_STREAM)
		fd = socket(family, flags, IPPROTO_MPTCP);
	if (fd < 0)
		fd = socket(family, flags, 0);
	if (fd < 0)
		return -errno;
	err = direct(fd, r);
	if (err) {
		close(fd);
		return err;
	}
	if (type == SOCK_STREAM)
		tune_tcp(fd, r);
	return fd;
}

int socket_rules_bind(int fd, int family, const struct socket_rules *rules)
{
	const struct addr *source = rules && family == AF_INET ? &rules->source4 : rules ? &rules->source6 : NULL;
	struct sockaddr_storage ss;
	socklen_t len;

	if (!source || !source->family)
		return 0;
	/* else every connection would need a port that no other has, whoever its peer is */
	wish(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	len = addr_to_sockaddr(source, &ss);
	return bind(fd, (struct sockaddr *)&ss, len) < 0 ? -errno : 0;
}

int socket_rules_set_transparent(int fd, int family)
{
	int one = 1;

	if (family == AF_INET6)
		return setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &one, sizeof(one)) < 0 ? -errno : 0;
	return setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &one, sizeof(one)) < 0 ? -errno : 0;
}

int socket_rules_connect(const struct addr *to, int type, const struct socket_rules *rules)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, &ss);
	int fd = socket_rules_open(to->family, type, rules), err;

	if (fd < 0)
		return fd;
	err = socket_rules_bind(fd, to->family, rules);
	if (!err && connect(fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS)
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

int socket_rules_apply(int fd, const struct socket_rules *rules)
{
	int family = 0, type = 0, err;
	socklen_t len = sizeof(family);

	if (!rules)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return -errno;
	err = direct(fd, rules);
	if (err)
		return err;
	if (type == SOCK_STREAM)
		tune_tcp(fd, rules);
	return socket_rules_bind(fd, family, rules);
}
