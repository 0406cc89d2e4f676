/*
 * The server's TCP inbound: Shadowsocks clients in, streams with their targets
 * out. One reaction for every bad handshake: who probes learns nothing from it.
 */
#ifndef GATUN_INBOUND_SS_SERVER_H
#define GATUN_INBOUND_SS_SERVER_H

#include "crypto/method.h"
#include "crypto/salt_store.h"
#include "crypto/salt_table.h"
#include "inbound/inbound.h"
#include "inbound/proven.h"
#include "proto/ss_users.h"

struct ss_server_options {
	struct addr listen;
	const struct ss_method *method;
	const uint8_t *key;	  /* copied */
	const struct ss_users *users; /* who may come, or NULL: anyone with the key; borrowed */
	struct salt_store *salts; /* SIP022; borrowed */
	struct salt_table *old_salts; /* SIP004; borrowed */
	struct proven *proven;	  /* learns where clients are, or NULL; borrowed */
	uint32_t handshake_s;	  /* how long a client may take to say what it wants */
};

struct ss_server;
/* NULL: *err is the errno of bind or listen. */
struct ss_server *ss_server_new(const struct ss_server_options *, const struct inbound_events *, void *owner, int *err);
/* Another key, or method, for whoever comes from now on; who is in his handshake ends. */
void ss_server_set_key(struct ss_server *, const struct ss_method *, const uint8_t *key);
/* Another limit for handshakes, from the next client on. */
void ss_server_set_patience(struct ss_server *, uint32_t handshake_s);
/* Stops listening. Streams that were handed out live on: they need nothing of it. */
void ss_server_free(struct ss_server *);

#endif
