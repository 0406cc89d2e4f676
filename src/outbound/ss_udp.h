/*
 * The client side of Shadowsocks UDP: ports whose datagrams travel sealed to
 * one server. SIP022: all associations share one socket and are told apart by
 * session id. SIP004: one socket per association (the server knows no other
 * mark than the address).
 */
#ifndef GATUN_OUTBOUND_SS_UDP_H
#define GATUN_OUTBOUND_SS_UDP_H

#include "crypto/method.h"
#include "io/datagram.h"
#include "io/socket_rules.h"
#include "outbound/outbound.h"
#include "outbound/path_watch.h"
#include "proto/ss_identity.h"

struct ss_udp_client_options {
	const struct target *server; /* copied; a name is resolved when first needed, and followed */
	const struct ss_method *method;
	const uint8_t *key;		    /* method->key_len bytes, copied */
	const struct ss_identity *identity; /* what stands before it, or NULL; borrowed */
	const struct socket_rules *rules;   /* or NULL; borrowed */
	struct outbound *via;	      /* what the sealed datagrams go through, or NULL; borrowed */
	struct outbound_seen *seen;   /* kept up to date; or NULL */
	struct path_watch *watch;     /* told of large datagrams; or NULL; borrowed */
	void (*port_ended)(void *owner); /* a port that was handed out has ended; or NULL */
	void *owner;
};

struct ss_udp_client;
/* NULL: out of memory, or no back-end for the method. */
struct ss_udp_client *ss_udp_client_new(const struct ss_udp_client_options *);
/* Its ports must have ended before. */
void ss_udp_client_free(struct ss_udp_client *);
/* A port for one association. NULL: out of memory or descriptors. */
struct datagram_port *ss_udp_client_port(struct ss_udp_client *);
/* From now on whatever it sends is padded to `sealed` bytes of UDP payload (SIP022; without
 * effect where it is longer). */
void ss_udp_client_pad_to(struct ss_udp_client *, uint16_t sealed);
/* What a datagram towards remote grows by, when it is not padded. */
uint32_t ss_udp_client_overhead(const struct ss_udp_client *, const struct target *remote);

#endif
