/* UDP of a TUN device as an inbound datagram_port: parsed by us, never by lwIP. */
#ifndef GATUN_INBOUND_TUN_UDP_H
#define GATUN_INBOUND_TUN_UDP_H

#include "inbound/tun.h"
#include "io/datagram.h"

struct tun_udp;
/* max_payload: the largest UDP payload that the outbound carries; a larger one
 * gets ICMP with the MTU that fits. NULL: out of memory. */
struct tun_udp *tun_udp_new(struct tun *, uint32_t max_payload);
void tun_udp_free(struct tun_udp *);
/* The largest IP packets whose payload reaches the server in one piece, by their family; 0: there is
 * no such limit. One that must not be fragmented and is larger gets ICMP with that number; all
 * others may travel in several. At least 576, and 1280 for IPv6. */
void tun_udp_set_path(struct tun_udp *, uint16_t path4, uint16_t path6);
/* Bind receive() on this; its send() writes to the TUN with the remote as source. */
struct datagram_port *tun_udp_port(struct tun_udp *);
/* The tun handlers. */
void tun_udp_input(struct tun_udp *, const struct packet *);
void tun_udp_batch_end(struct tun_udp *);

#endif
