/* The outbound that reaches targets through one Shadowsocks server. */
#ifndef GATUN_OUTBOUND_SHADOWSOCKS_H
#define GATUN_OUTBOUND_SHADOWSOCKS_H

#include "crypto/method.h"
#include "io/socket_rules.h"
#include "outbound/outbound.h"
#include "proto/ss_identity.h"
#include "transport/plugin.h"

struct shadowsocks_options {
	struct target server;
	const struct ss_method *method;
	const uint8_t *key; /* method->key_len bytes; copied, wiped by free */
	const uint8_t (*identity_keys)[SS_KEY_MAX]; /* SIP023: the keys before it; copied as well */
	int n_identities;			    /* 0..SS_IDENTITY_MAX */
	const char *tag;    /* for log lines; copied */
	const struct plugin_options *plugin; /* what stands before the server; or NULL */
	bool tcp, udp;	    /* what it carries; the other is refused */
	bool udp_in_tcp;    /* its UDP travels in streams (uot_port.h), */
	bool udp_auto;	    /* or as works (uot_auto.h); neither: as it is */
	bool true_connect;  /* ask for the true result of each connect: 2022 methods */
	const struct socket_rules *rules; /* or NULL; copied */
	uint32_t timeout_s;
	const struct target *resolver; /* answers questions about the path (path_probe.h); NULL: nobody is asked */
	struct outbound *via; /* what stands before the server, or NULL; freed with it */
};

/* NULL: out of memory; `via` is the caller's then. Freed while streams or ports of
 * it live, it goes with the last of them. */
struct outbound *shadowsocks_new(const struct shadowsocks_options *);

#endif
