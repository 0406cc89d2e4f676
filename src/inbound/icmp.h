/*
 * ICMP and ICMPv6 on the TUN's side: echo replies, and the errors that an app
 * must get where the native network would have sent them. Errors are built from
 * the packet that caused them (RFC 792, RFC 4443: as much of it as fits) and
 * come from the address that the packet went to, so that the app's kernel finds
 * its socket. None is sent about an ICMP error, a later fragment, or a packet
 * to or from a multicast, broadcast or unspecified address.
 */
#ifndef GATUN_INBOUND_ICMP_H
#define GATUN_INBOUND_ICMP_H

#include "inbound/icmp_error.h"
#include "inbound/tun.h"

/* An address for which echo requests are answered (the gateway's own); at most
 * 8 of them. 0 or -ENOSPC. */
int icmp_own_address(const struct addr *a);

/* What becomes of echo requests for other addresses. */
enum icmp_others {
	ICMP_OTHERS_SILENT, /* nothing */
	ICMP_OTHERS_REPLY,  /* answered in their place */
	ICMP_OTHERS_REFUSE, /* ICMP_ADMIN_PROHIBITED */
};

/* The tun handler. Answers echo requests for own addresses, and does with the
 * others' as told; everything else is dropped. A request may be of any size:
 * the reply is fragmented as the MTU asks. */
void icmp_input(struct tun *, const struct packet *, enum icmp_others);

/* Sends the error about `offending`, at most some thousands a second. mtu is
 * used by ICMP_TOO_BIG alone: the largest packet, IP header included, that
 * would have passed. May be called from any handler. */
void icmp_send_unreachable(struct tun *, const struct packet *offending, enum icmp_reason, uint16_t mtu);

/* The same about a UDP datagram from -> to that is gone: its headers are built anew, and that is all that
 * the app's kernel looks at. */
void icmp_send_about(struct tun *, const struct addr *from, const struct addr *to, enum icmp_reason);

#endif
