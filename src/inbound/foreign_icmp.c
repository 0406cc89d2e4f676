/*
 * ICMP errors in the name of others. The packet that an error is about went
 * through the kernel and is gone; its headers are built anew. An app's kernel finds
 * its socket by the addresses and ports in them, and looks at nothing else.
 *
 * The error comes from the address that the app sent to, as from a host where
 * nobody listens. To an app of this machine it goes by lo, as its answers do. It
 * bears our mark, so that what captures lets it pass.
 *
 * Without sockets (CAP_NET_RAW is gone, no descriptor is left) nothing is said.
 */
#include "inbound/foreign_icmp.h"

#include <netinet/in.h>
#include <unistd.h>

#include "inbound/foreign_raw.h"
#include "inbound/packet.h"

void foreign_icmp_init(struct foreign_icmp *f, uint32_t mark)
{
	*f = (struct foreign_icmp){ .rules.fwmark = mark, .fd4 = -1, .fd6 = -1 };
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void foreign_icmp_close(struct foreign_icmp *f)
{
	close_one(&f->fd4);
	close_one(&f->fd6);
}

static int socket_of(struct foreign_icmp *f, uint16_t family)
{
	int *fd = family == AF_INET6 ? &f->fd6 : &f->fd4;

	if (*fd < 0)
		*fd = foreign_raw_open(family, family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, &f->rules);
	return *fd;
}

void foreign_icmp_send(struct foreign_icmp *f, const struct addr *from, const struct addr *to, uint32_t len, enum icmp_reason why,
		       uint16_t mtu)
{
	uint8_t header[ICMP_ERROR_HEADER], quote[PACKET_IP6_HEADER + PACKET_UDP_HEADER];
	struct iovec iov[2] = { { header, sizeof(header) }, { quote, packet_build_udp(quote, from, to, len) } };
	int fd = icmp_error_allowed() ? socket_of(f, from->family) : -1;
	uint16_t sum;

	if (fd < 0)
		return;
	icmp_error_put(header, from->family == AF_INET ? 4 : 6, why, mtu);
	if (from->family == AF_INET) {
		sum = (uint16_t)~packet_fold(packet_sum(quote, iov[1].iov_len, packet_sum(header, sizeof(header), 0)));
		header[2] = ((const uint8_t *)&sum)[0];
		header[3] = ((const uint8_t *)&sum)[1];
	}
	foreign_raw_send(fd, to, from, iov, 2);
}
