/* ICMP errors in the name of others: what an app whose datagrams TPROXY took must hear of them. */
#ifndef GATUN_INBOUND_FOREIGN_ICMP_H
#define GATUN_INBOUND_FOREIGN_ICMP_H

#include "inbound/icmp_error.h"
#include "io/socket_rules.h"

/* Its sockets, opened when the first error is to be sent. */
struct foreign_icmp {
	struct socket_rules rules;
	int fd4, fd6; /* or -1 */
};

/* mark: SO_MARK of what is sent; 0: none. */
void foreign_icmp_init(struct foreign_icmp *, uint32_t mark);
void foreign_icmp_close(struct foreign_icmp *);
/* The error about a UDP datagram from -> to with `len` bytes of payload, as if `to` had sent it; limited like
 * all of them (icmp_error.h). mtu is used by ICMP_TOO_BIG alone. */
void foreign_icmp_send(struct foreign_icmp *, const struct addr *from, const struct addr *to, uint32_t len, enum icmp_reason, uint16_t mtu);

#endif
