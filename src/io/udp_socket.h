/*
 * Batched UDP sockets: recvmmsg with UDP_GRO in, sendmmsg with UDP_SEGMENT out,
 * flushed once per turn; each falls back by itself where the kernel or the
 * device refuses it. ICMP errors are read from the error queue and told.
 *
 * Nothing is held while a socket is idle: what is received lies in slots that
 * all sockets of the process share (udp_slots.h), and what waits to be sent
 * lies in a pool buffer that goes back at the flush. A payload from receive()
 * may be overwritten and may be referenced until the end of the turn (for
 * instance by a send); who needs it longer copies it.
 */
#ifndef GATUN_IO_UDP_SOCKET_H
#define GATUN_IO_UDP_SOCKET_H

#include <stdbool.h>

#include "base/addr.h"
#include "io/socket_rules.h"
#include "io/slice.h"

struct udp_socket_options {
	const struct addr *bind;    /* or NULL; ::'s socket takes IPv4 as well */
	const struct addr *connect; /* or NULL: every send names its remote */
	uint16_t family;	    /* where neither is given */
	bool pktinfo;		    /* tell and choose the local address */
	bool original;		    /* tell where a datagram was to go before TPROXY took it, in place of pktinfo's */
	bool transparent;	    /* bind and send from any address; the bound one may be others' too */
	bool listens;		    /* clients come to `bind`: workers share it (io/kept.h) */
	const struct socket_rules *rules; /* or NULL; borrowed for the call */
	uint32_t buffer;	    /* bytes of each kernel buffer wished for, 0 = the system's */
};

struct udp_message {
	struct addr peer;
	struct addr local; /* pktinfo: the address of ours, with our port 0; original: with its port; else family 0 */
	struct slice payload;
	uint16_t segment; /* as in struct datagram */
};

struct udp_socket_events {
	void (*receive)(void *owner, const struct udp_message *, int n);
	/* An ICMP error about a datagram sent to `remote` (errno, positive), or
	 * about none that can be named (family 0). Of a socket that is not connected also
	 * what this machine's own routes and rules say, maybe from inside a send. May be NULL. */
	void (*error)(void *owner, int err, const struct addr *remote);
};

/* Messages that one receive() holds at most. */
#define UDP_RECEIVE_BATCH 32
/* Bytes of the largest datagram over IPv4. */
#define UDP_PAYLOAD_MAX 65507u

struct udp_socket;
/* NULL: *err is the errno. */
struct udp_socket *udp_socket_open(const struct udp_socket_options *, const struct udp_socket_events *, void *owner, int *err);
/* Flushes, closes, frees in the deferred pass. Allowed inside its own events. */
void udp_socket_close(struct udp_socket *);
/* The address really bound (port 0 resolved). */
struct addr udp_socket_addr(const struct udp_socket *);

/* What to send, and between whom. */
struct udp_outgoing {
	const struct addr *remote; /* NULL on a connected socket */
	const struct addr *local;  /* the source address to leave from (pktinfo), or NULL */
	/* Datagrams of one flow leave in the order they came in; those of
	 * different flows may pass each other so that larger groups form. */
	uint32_t flow;
	struct slice payload; /* borrowed: a reference is taken until the flush */
	uint16_t segment;     /* as in struct datagram */
};
/* Queues until the end of the turn (a long queue leaves at once). Never blocks;
 * what the kernel does not take is dropped and counted. */
void udp_socket_send(struct udp_socket *, const struct udp_outgoing *);
/* Sends what is queued now. */
void udp_socket_flush(struct udp_socket *);
/* A connected one: what leaves in pieces leaves in pieces of mtu bytes; 0: as the kernel knows the
 * path. IPv6 alone: over IPv4 routers cut what is too long, as long as they are let. */
void udp_socket_set_path(struct udp_socket *, uint16_t mtu);
/* The last errno that a send failed with, and forgets it; 0 = none. */
int udp_socket_take_error(struct udp_socket *);

/* One page for all sockets of the process. */
struct udp_socket_counters {
	uint64_t rx_datagrams, tx_datagrams;
	uint64_t tx_calls;	/* messages handed to the kernel: datagrams / this = the grouping */
	uint64_t tx_dropped;	/* EAGAIN, ENOBUFS, unreachable: not sent */
	uint64_t tx_too_big;	/* EMSGSIZE */
	uint64_t closed_port;	/* ICMP port unreachable, about what we sent */
	uint64_t other_errors;	/* every other ICMP error */
	uint64_t gso_fallbacks;	/* sockets that gave up UDP_SEGMENT */
};
extern struct udp_socket_counters udp_socket_counters;

#endif
