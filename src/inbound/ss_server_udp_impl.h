/* The server's UDP inbound from inside, for ss_server_udp.c (receiving, replies, life)
 * and ss_clients.c (who is whom); nobody else includes it. */
#ifndef GATUN_INBOUND_SS_SERVER_UDP_IMPL_H
#define GATUN_INBOUND_SS_SERVER_UDP_IMPL_H

#include "base/hash.h"
#include "base/list.h"
#include "crypto/replay_window.h"
#include "inbound/ss_graves.h"
#include "inbound/ss_salts.h"
#include "inbound/ss_server_udp.h"
#include "io/udp_socket.h"
#include "loop/loop.h"
#include "proto/ss_packet.h"

struct ss_client {
	struct hash_node node;
	struct assoc_key key;
	struct addr peer, local;
	struct amplification_credit credit; /* of the peer */
	struct ss_server_udp *server;
	struct ss_user_holder payer; /* once it is of the table, and there are users */
	/* SIP022 alone: */
	struct ss_packet_session theirs, ours;
	struct replay_window window;
	uint64_t heard_ms;
};

struct ss_server_udp {
	struct datagram_port port;
	struct ss_packet_codec codec;
	struct udp_socket *socket;
	struct hash clients;
	struct ss_client *spare; /* where an unknown session is tried */
	const struct ss_users *users; /* or NULL: nobody pays */
	void (*closed)(void *owner, const struct assoc_key *);
	void *closed_owner;
	struct ss_graves graves;
	const struct inbound_events *events; /* admit alone; or NULL */
	void *owner;
	struct loop_timer upkeep; /* while there are graves or salts */
	struct ss_salts salts; /* SIP004 */
	struct session_owners *owners; /* SIP022 among several workers, or NULL */
	struct session_listener listener;
	bool handed; /* what is being opened comes from another worker */
	struct amplification guard;
};

static inline bool is_sip022(const struct ss_server_udp *s)
{
	return s->codec.method->sip022;
}

/* Of this key, or NULL. */
struct ss_client *ss_clients_find(const struct ss_server_udp *s, const struct assoc_key *k);
/* A place to try an unknown one; p: the datagram that made us look (SIP004: not
 * used). NULL: no memory. */
struct ss_client *ss_clients_spare(struct ss_server_udp *s, const struct assoc_key *k, const struct ss_packet *p);
/* The spare client is authentic: it becomes one of the table. named: by its identity, or NULL. */
void ss_clients_adopt(struct ss_server_udp *s, struct ss_user *named);
/* The association table has forgotten it. */
void ss_clients_forget(struct ss_client *c);
/* Of one that is in no table. */
void ss_clients_free(struct ss_client *c);
/* There is something that has to be forgotten in time. */
void ss_clients_want_upkeep(struct ss_server_udp *s);

#endif
