/* The insides of outbound/proxy*.c, shared by them and nobody else. */
#ifndef GATUN_OUTBOUND_PROXY_IMPL_H
#define GATUN_OUTBOUND_PROXY_IMPL_H

#include "outbound/proxy.h"
#include "outbound/reach.h"
#include "outbound/uses.h"
#include "proto/socks_client.h"

struct proxy {
	struct outbound outbound;
	struct target address;
	char *user, *password; /* or NULL */
	struct outbound *via;  /* or NULL */
	struct socket_rules rules;
	struct dial_options dial;
	struct outbound_uses uses; /* dials, ports */
	bool http;
};

/* ---- proxy.c ---- */
void proxy_release(struct proxy *);

/* ---- proxy_dial.c: a connection on which the proxy has said yes ---- */

struct proxy_dial_events {
	/* The stream is the owner's; it wants nothing yet. bound: what the proxy
	 * says of its own end (SOCKS5). */
	void (*opened)(void *owner, struct stream *, const struct target *bound);
	void (*failed)(void *owner, enum flow_end why);
};

enum proxy_step { PROXY_METHOD, PROXY_LOGIN, PROXY_REPLY, PROXY_RESPONSE, PROXY_STANDS };

/* Embedded, zero-initialised. */
struct proxy_dial {
	struct proxy *proxy;
	const struct proxy_dial_events *events;
	void *owner;
	enum socks_command command;
	struct target target, bound;
	struct reach reach;
	struct stream *stream;
	struct loop_timer limit;
	struct loop_work stands_work;
	enum proxy_step step; /* what is awaited */
	struct buf *answer;   /* as far as it has come */
	uint32_t answer_len;
};

/* Exactly one event follows, never synchronously, unless cancelled. command:
 * of SOCKS5; HTTP has CONNECT alone. */
void proxy_dial_start(struct proxy_dial *, struct proxy *, enum socks_command, const struct target *,
		      const struct proxy_dial_events *, void *owner);
void proxy_dial_cancel(struct proxy_dial *);

/* ---- proxy_port.c ---- */
/* NULL: out of memory. */
struct datagram_port *proxy_port_new(struct proxy *);

#endif
