/*
 * The TCP side of socks, http and mixed inbounds: one listener, whose clients
 * say by their first byte which protocol they speak.
 */
#ifndef GATUN_INBOUND_MIXED_H
#define GATUN_INBOUND_MIXED_H

#include "conf/config.h"
#include "inbound/inbound.h"
#include "inbound/socks_udp.h"

struct mixed_options {
	struct addr listen;
	bool socks, http; /* what it speaks */
	bool tcp;	  /* false: CONNECT is not supported, UDP ASSOCIATE alone */
	const struct config_users *socks_users, *http_users; /* borrowed; none: everybody may */
	struct socks_udp *udp;	  /* for UDP ASSOCIATE, borrowed; or NULL: not supported */
	struct addr udp_told;	  /* what clients are told instead of its address (NAT, balancers); port 0: its port; family 0: nothing */
	uint32_t handshake_s;	  /* how long a client may take to say what it wants */
};

struct mixed;
/* NULL: *err is the errno of bind or listen. */
struct mixed *mixed_new(const struct mixed_options *, const struct inbound_events *, void *owner, int *err);
/* Other users, for requests from now on. */
void mixed_set_users(struct mixed *, const struct config_users *socks_users, const struct config_users *http_users);
/* Listens no more: who has not asked yet and who keeps an association leaves; streams that
 * were handed out go on, and it must live as long as mixed_busy(). */
void mixed_retire(struct mixed *);
bool mixed_busy(const struct mixed *);
/* After the owner has ended the streams that it was given. */
void mixed_free(struct mixed *);
/* The address really bound (port 0 resolved). */
struct addr mixed_addr(const struct mixed *);

#endif
