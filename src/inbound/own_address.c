/*
 * A listener of redirected traffic is a way into the tunnel for whoever's packets
 * the rules send there. Who speaks to it directly must find neither an open proxy
 * nor, where the target would be the listener itself, a loop that eats descriptors.
 * The one sign of that is a target at our port and at an address of this machine,
 * which the kernel knows best: only such an address can be bound.
 */
#include "inbound/own_address.h"

#include <errno.h>
#include <unistd.h>

bool own_address(const struct addr *a)
{
	struct addr any_port = *a;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = socket(a->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ours;

	if (fd < 0)
		return true;
	any_port.port = 0;
	len = addr_to_sockaddr(&any_port, &ss);
	ours = bind(fd, (struct sockaddr *)&ss, len) == 0 || errno != EADDRNOTAVAIL;
	close(fd);
	return ours;
}
