/*
 * The outbound through a SOCKS5 or HTTP proxy: what a chain puts before a
 * Shadowsocks server. TCP by CONNECT; UDP by SOCKS5's UDP ASSOCIATE, HTTP has
 * none.
 */
#ifndef GATUN_OUTBOUND_PROXY_H
#define GATUN_OUTBOUND_PROXY_H

#include "io/socket_rules.h"
#include "outbound/outbound.h"

struct proxy_options {
	bool http; /* else SOCKS5 */
	struct target address;
	const char *user, *password; /* at most 255 bytes each, or user NULL: none; copied */
	const struct socket_rules *rules; /* or NULL; copied */
	uint32_t timeout_s;		  /* of the connect, and again of the handshake */
	struct outbound *via;		  /* what stands before it, or NULL; freed with it */
};

/* NULL: out of memory; `via` is the caller's then. Freed while dials or ports of
 * it live, it goes with the last of them. */
struct outbound *proxy_new(const struct proxy_options *);

#endif
