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

int sys_uplink_mtu(const struct addr *server)
{
	struct addr peer = *server;
	struct sockaddr_storage ss;
	socklen_t len, mtu_len = sizeof(int);
	int fd, mtu = 0, err = 0;

	if (!peer.family)
		return -EAFNOSUPPORT;
	if (!peer.port)
		peer.port = 9; /* any: it is not sent to, but port 0 cannot be connected to everywhere */
	len = addr_to_sockaddr(&peer, &ss);
	fd = socket(peer.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&ss, len) < 0 ||
	    getsockopt(fd, peer.family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
		       peer.family == AF_INET6 ? IPV6_MTU : IP_MTU, &mtu, &mtu_len) < 0)
		err = -errno;
	close(fd);
	if (err)
		return err;
	return mtu > IP_PACKET_MAX ? IP_PACKET_MAX : mtu;
}
