/*
 * The client's end of UDP over TCP: a datagram_port whose datagrams travel in a
 * stream of its own through any outbound (proto/uot.h). The stream is opened by
 * the first datagram.
 */
#ifndef GATUN_OUTBOUND_UOT_PORT_H
#define GATUN_OUTBOUND_UOT_PORT_H

#include "outbound/outbound.h"

/* A port for one association; `via` outlives it, and may go when `ended` is told.
 * NULL: out of memory. */
struct datagram_port *uot_port_new(struct outbound *via, void (*ended)(void *owner), void *owner);

#endif
