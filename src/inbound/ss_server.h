/*
 * The server's TCP inbound: Shadowsocks clients in, streams with their targets
 * out. One reaction for every bad handshake (hazards.md, "replay and probing").
 */
#ifndef GATUN_INBOUND_SS_SERVER_H
#define GATUN_INBOUND_SS_SERVER_H

#include "crypto/method.h"
#include "crypto/salt_store.h"
#include "inbound/inbound.h"
#include "proto/ss_identity.h"

struct ss_server_options {
	struct addr listen;
	const struct ss_method *method;
	const uint8_t *key;	  /* borrowed for the server's life */
	const struct ss_users *users; /* who may come, or NULL: anyone with the key; borrowed for longer than its streams live */
	struct salt_store *salts; /* borrowed */
	uint32_t handshake_s;	  /* how long a client may take to say what it wants */
};

struct ss_server;
/* NULL: *err is the errno of bind or listen. */
struct ss_server *ss_server_new(const struct ss_server_options *, const struct inbound_events *, void *owner, int *err);
void ss_server_free(struct ss_server *);

#endif
