/*
 * What a config asks of sockets, as one block: of those that go out (mark,
 * source address, device, ...) or of those that listen. A rule that decides
 * where traffic goes must hold or the socket is not used: traffic never leaves
 * by another way than the one that was asked for. A rule that only tunes is
 * a wish.
 */
#ifndef GATUN_IO_SOCKET_RULES_H
#define GATUN_IO_SOCKET_RULES_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* All zero: no wish. */
struct socket_rules {
	/* where to; these must hold */
	uint32_t fwmark;	      /* SO_MARK */
	char device[IFNAMSIZ];	      /* SO_BINDTODEVICE */
	struct addr source4, source6; /* family 0: the kernel chooses; their port is 0 */
	/* how; these are wishes */
	uint32_t send_buffer, receive_buffer; /* TCP, bytes */
	uint32_t keepalive_s;		      /* TCP: silence after which the peer is asked whether it lives */
	bool mptcp;			      /* where the kernel has it, else TCP */
	bool fast_open;			      /* listeners only: data in a SYN is taken (RFC 7413) */
	bool ipv6_only;			      /* listeners only: :: does not take IPv4 */
	bool no_fragments;		      /* UDP: what does not fit the path is refused, not fragmented */
};

/* Do what must hold of both go the same way? */
bool socket_rules_same_way(const struct socket_rules *, const struct socket_rules *);

/* What listeners of this process obey: set once, before the first, copied. */
void socket_rules_set_listeners(const struct socket_rules *);
extern struct socket_rules socket_rules_listeners;
/* At this port 0.0.0.0 has a socket of type (SOCK_STREAM, SOCK_DGRAM) of its own, so :: opened from
 * now on does not take IPv4; the kernel would refuse the second. forget: at none any more. */
void socket_rules_split(int type, uint16_t port);
void socket_rules_split_forget(void);
/* Is a listener that is opened at a to take IPv6 alone? */
bool socket_rules_only_v6(int type, const struct addr *a);

/* A non-blocking, close-on-exec socket of this family and type, the rules
 * applied to it but for the source address. rules: NULL is none. -errno. */
int socket_rules_open(int family, int type, const struct socket_rules *rules);
/* The same for a socket that somebody else (a library) made, source address
 * included. 0 or -errno. */
int socket_rules_apply(int fd, const struct socket_rules *rules);
/* Binds a socket that will connect or send to its source address, if there is
 * one for its family; the port is left to connect(). 0 or -errno. */
int socket_rules_bind(int fd, int family, const struct socket_rules *rules);
/* Before bind(): it may have any address, also one that is not of this machine (TPROXY, and
 * answers in the name of others). Needs CAP_NET_RAW. 0 or -errno. */
int socket_rules_set_transparent(int fd, int family);
/* The two above, and connect(): a socket that the kernel has chosen a way and a source for
 * (SOCK_DGRAM: nothing is sent). -errno. */
int socket_rules_connect(const struct addr *to, int type, const struct socket_rules *rules);
/* Asks a TCP peer that has been silent for so long whether it lives, and gives it up soon after. */
void socket_rules_keepalive(int fd, uint32_t idle_s);

#endif
