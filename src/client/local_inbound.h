/* One inbound of `gatun local`, for local.c and nobody else. */
#ifndef GATUN_CLIENT_LOCAL_INBOUND_H
#define GATUN_CLIENT_LOCAL_INBOUND_H

#include "base/list.h"
#include "conf/config.h"
#include "flow/limits.h"
#include "outbound/outbound.h"

/* What all inbounds share; it outlives them. */
struct local_common {
	const struct config *config; /* the newest: times, and what its servers carry */
	struct outbound *shadowsocks;
	struct limits *limits; /* of each client, at all inbounds together */
};

struct local_inbound {
	struct list node;
	const struct local_common *common;
	struct config_local settings; /* what was opened, without its pointers */
	bool udp;		      /* its UDP is open */
	uint32_t mark;		      /* LOCAL_REDIR: of its sockets */
	struct client_route *route;
	struct mixed *mixed;
	struct socks_udp *socks_udp;
	struct tunnel_tcp *tunnel_tcp;
	struct tunnel_udp *tunnel_udp;
	struct redirect_tcp *redirect_tcp;
	struct tproxy_udp *tproxy_udp;
	struct local_dns *dns;
	struct dns_listener *fake_dns;
	struct datagram_port *udp_port; /* that of the associations */
	struct assoc_table *associations;
	bool named; /* a reload's mark: the config has it */
};

/* NULL: *err is -errno, the reason logged. Users are borrowed from the config, until it has
 * become another. Not in a list yet. */
struct local_inbound *local_inbound_open(const struct local_common *, const struct config_local *, int *err);
/* Does the config say what is open (but for users and its ACL)? */
bool local_inbound_is(const struct local_inbound *, const struct config_local *);
/* Is it at the address, so that the one must go before the other can come? */
bool local_inbound_is_at(const struct local_inbound *, const struct config_local *);

/* Of one that stays. Step 1 of a change: its ACL is read, again or another. 0 or -errno, logged. */
int local_inbound_prepare(struct local_inbound *, const struct config_local *);
void local_inbound_withdraw(struct local_inbound *);
/* Step 2. */
void local_inbound_apply(struct local_inbound *, const struct config_local *);

/* Listens no more; its UDP ends, its streams go on. */
void local_inbound_retire(struct local_inbound *);
/* Retired, and nothing that came by it needs it any more. */
bool local_inbound_is_over(const struct local_inbound *);
/* One that is over, or after relay_free(). */
void local_inbound_close(struct local_inbound *);
void local_inbound_free(struct local_inbound *);

#endif
