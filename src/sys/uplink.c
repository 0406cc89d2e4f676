/*
 * The path MTU, asked of the kernel through a connected UDP socket: connect()
 * looks the route up and sends nothing, IP_MTU then reads what that route (and
 * the cache of learnt path MTUs) says. That obeys policy routing as our own
 * sockets do, which a netlink route request would have to imitate.
 */
#include "sys/uplink.h"

#include <errno.h>
#include <unistd.h>

#define IP_PACKET_MAX 65535

int sys_uplink_mtu(const struct addr *server, const struct socket_rules *rules)
{
	bool v6 = server->family == AF_INET6;
	struct addr peer = *server;
	socklen_t len = sizeof(int);
	int fd, mtu = 0, err = 0;

	if (!peer.family)
		return -EAFNOSUPPORT;
	if (!peer.port)
		peer.port = 9; /* any: it is not sent to, but port 0 cannot be connected to everywhere */
	fd = socket_rules_connect(&peer, SOCK_DGRAM, rules);
	if (fd < 0)
		return fd;
	if (getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU : IP_MTU, &mtu, &len) < 0)
		err = -errno;
	close(fd);
	if (err)
		return err;
	return mtu > IP_PACKET_MAX ? IP_PACKET_MAX : mtu;
}
