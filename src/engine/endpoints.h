/*
 * The endpoints of `gatun server`: each a listening address with a method, a
 * key, users, a TCP inbound, a UDP inbound and its association table. What comes
 * in by TCP is told to the server (inbound_events); UDP goes to the outbound.
 */
#ifndef GATUN_ENGINE_ENDPOINTS_H
#define GATUN_ENGINE_ENDPOINTS_H

#include "conf/config.h"
#include "crypto/salt_store.h"
#include "inbound/inbound.h"
#include "outbound/outbound.h"
#include "proto/ss_users.h"

struct endpoints_options {
	const struct config *config;
	struct salt_store *salts;
	struct outbound *out;			 /* where datagrams go */
	const struct inbound_events *events;	 /* where streams go, */
	void *owner;				 /* with this */
};

struct endpoints;
/* None are open yet; all of the options is borrowed. NULL: out of memory. */
struct endpoints *endpoints_new(const struct endpoints_options *);
/* Opens one. 0, or -errno with the reason logged; then it is not there. */
int endpoints_add(struct endpoints *, const struct config_server *);
/* Stops listening and ends what has come by UDP. The streams are the relay's: it
 * is freed before. */
void endpoints_close(struct endpoints *);
/* One line for each user who did anything. */
void endpoints_log_users(const struct endpoints *);
/* After endpoints_close(), when every stream has ended: they point to their users. */
void endpoints_free(struct endpoints *);

#endif
