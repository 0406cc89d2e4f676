/* Sends datagrams in the name of others: from addresses and ports that are not this machine's. */
#ifndef GATUN_INBOUND_FOREIGN_UDP_H
#define GATUN_INBOUND_FOREIGN_UDP_H

#include "io/udp_socket.h"

struct foreign_udp;
/* mark: SO_MARK of all of them; 0: none. NULL: out of memory. */
struct foreign_udp *foreign_udp_new(uint32_t mark);
void foreign_udp_free(struct foreign_udp *);
/* As udp_socket_send; o->local, with its port, is whose name it is. Both ends are of one family. */
void foreign_udp_send(struct foreign_udp *, const struct udp_outgoing *o);

#endif
