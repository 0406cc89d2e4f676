/*
 * The endpoints of `gatun server`: each a listening address with a method, a
 * key, users, a TCP inbound, a UDP inbound and its association table. What comes
 * in leaves by the egress of the endpoint's ACL file.
 * They come, change and go while it runs.
 */
#ifndef GATUN_SERVER_ENDPOINTS_H
#define GATUN_SERVER_ENDPOINTS_H

#include "conf/config.h"
#include "crypto/salt_store.h"
#include "crypto/salt_table.h"
#include "flow/limits.h"
#include "inbound/inbound.h"
#include "inbound/proven.h"
#include "outbound/outbound.h"
#include "proto/ss_users.h"
#include "server/egress.h"

struct endpoints_options {
	const struct config *config;		 /* the times and limits of all */
	struct salt_store *salts;		 /* SIP022 */
	struct salt_table *old_salts;		 /* SIP004 */
	struct proven *proven;			 /* addresses; see inbound/amplification.h */
	struct egresses *egresses;		 /* by which everything leaves */
	struct outbound *relay_out;		 /* but what a relay passes on: by this */
};

struct endpoints;
/* None are open yet; all of the options is borrowed. NULL: out of memory. */
struct endpoints *endpoints_new(const struct endpoints_options *);
/* Closes all of them. The streams are the relay's: it is freed before, or after. */
void endpoints_free(struct endpoints *);

/* Opens one, and copies what it needs. 0, or -errno with the reason logged: then it is not there. */
int endpoints_add(struct endpoints *, const struct config_server *);

/*
 * Makes them what `config` says: those that it does not name are closed (their
 * streams go on, unless the manager opened them: those stay), the others keep their
 * sockets. A changed key is for new flows; a removed user's flows end. In two steps, as
 * struct reload_steps has it; config is borrowed in place of the last.
 */
int endpoints_prepare(struct endpoints *, const struct config *);
void endpoints_apply(struct endpoints *);
void endpoints_withdraw(struct endpoints *);

/* The manager's: one that no config names, so that it stays when they change. As endpoints_add(). */
int endpoints_add_managed(struct endpoints *, const struct config_server *);
/* Closes all on this port, whoever opened them, and ends their flows. How many there were. */
int endpoints_remove_port(struct endpoints *, uint16_t port);

/* A line about what a user did (""; everybody), if he did anything. */
void endpoints_log_user(const char *name, const char *where, const struct ss_user_counters *);

/* What there is, in the order of coming; the pointers are valid until the next change. */
struct endpoint_view {
	const struct addr *listen;
	const char *tag;
	const struct ss_method *method;
	enum config_mode mode;
	const struct ss_users *users; /* who may come, and what they did: ss_users_total() is the port's */
	bool managed;
};
int endpoints_count(const struct endpoints *);
void endpoints_view(const struct endpoints *, int i, struct endpoint_view *out);

#endif
