/*
 * Where a redirected connection wanted to go: conntrack remembers it, and tells
 * whoever has the socket (SO_ORIGINAL_DST of iptables' and nft's redirect and
 * dnat). IPv4 on a socket of :: is asked for as IPv4.
 */
#include <sys/socket.h>

#include "io/tcp_internal.h"

#define ORIGINAL_DST 80 /* SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST: their headers (linux/netfilter_*) collide with netinet/in.h */

struct addr tcp_socket_before_nat(const struct stream *s)
{
	bool v4 = tcp_socket_self(s).family == AF_INET;
	struct sockaddr_storage ss = { 0 };
	socklen_t len = v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	int fd = tcp_of(s)->io.fd;

	if (getsockopt(fd, v4 ? SOL_IP : SOL_IPV6, ORIGINAL_DST, &ss, &len) < 0)
		return (struct addr){ 0 };
	return addr_from_sockaddr((struct sockaddr *)&ss);
}
