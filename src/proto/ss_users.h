/*
 * Who may come to a server: the table of its users, which changes while flows
 * run. A server without users of its own has one that is called "": whoever has
 * the server's key. So what a server did is always counted at a user.
 *
 * Whatever works under a user (a stream, a session) holds him. A user that is
 * removed tells his holders and is freed when the last lets go, even after the
 * table; one whose key changes is the same user with the same counters.
 *
 * No sockets, clocks or randomness here (docs/wire-formats.md, SIP023).
 */
#ifndef GATUN_PROTO_SS_USERS_H
#define GATUN_PROTO_SS_USERS_H

#include "base/addr.h"
#include "base/hash.h"
#include "base/list.h"
#include "proto/ss_identity.h"

/* What a user did. Payload bytes; up is from the user. */
struct ss_user_counters {
	uint64_t tcp_flows, tcp_up, tcp_down;
	uint64_t udp_sessions, udp_up, udp_down, datagrams_up, datagrams_down;
};

struct ss_user {
	struct hash_node node;
	char *name;	/* "": whoever has the server's key */
	uint64_t tag;	/* tells users apart where a number must; no outsider can guess it; 0 for "" */
	uint8_t key[SS_KEY_MAX], hash[SS_IDENTITY_LEN];
	struct aes_block header; /* under key: hides the ids of UDP replies (SIP022 with AES) */
	struct target *next; /* of a relay: where who has this key is passed on to; else NULL */
	struct ss_user_counters counters;
	uint32_t bytes_per_s, flows_per_s; /* his own limits, which flow/limits keeps; 0: as everybody's */
	struct list holders;
	bool removed;
};

enum ss_user_change { SS_USER_REMOVED, SS_USER_REKEYED };

/* Embedded by whoever works under a user. Zeroed: holds nobody. */
struct ss_user_holder {
	struct list node;
	struct ss_user *user;
	/* The user is removed, or has another key from now on. It may release, and
	 * nothing else of the table. */
	void (*changed)(struct ss_user_holder *, enum ss_user_change);
};
void ss_user_hold(struct ss_user *, struct ss_user_holder *, void (*changed)(struct ss_user_holder *, enum ss_user_change));
/* Holding nobody is fine. */
void ss_user_release(struct ss_user_holder *);

struct ss_users;
/* A table without users. key: the server's own (with users: the iPSK), copied.
 * NULL: no memory. */
struct ss_users *ss_users_new(const struct ss_method *m, const uint8_t *key);
/* Wipes and frees; NULL is nothing. Users who are held stay until released, and
 * their holders are not told. */
void ss_users_free(struct ss_users *);

/* Key and name are copied. The method must support identities. 0, -EEXIST
 * (another user has this key) or -ENOMEM. */
int ss_users_add(struct ss_users *, const char *name, const uint8_t *key);
/* Where this user is passed on to, copied. 0 or -ENOMEM. */
int ss_users_pass_on(struct ss_user *, const struct target *next);
/* Lets in whoever has the server's key, as user "". For a table without users. */
int ss_users_add_anyone(struct ss_users *);
void ss_users_remove(struct ss_users *, struct ss_user *);
/* Another key for new flows. 0, or -EEXIST: another user has it. */
int ss_users_rekey(struct ss_users *, struct ss_user *, const uint8_t *key);
/* Another key of the server, which is a change for every user. Of another method: then
 * there must be no users but "". */
void ss_users_set_key(struct ss_users *, const struct ss_method *m, const uint8_t *key);

int ss_users_count(const struct ss_users *);
struct ss_user *ss_users_at(const struct ss_users *, int i); /* in the order of adding */
struct ss_user *ss_users_find_name(const struct ss_users *, const char *name); /* or NULL */
/* User "", or NULL: clients must say who they are. */
struct ss_user *ss_users_anyone(const struct ss_users *);
/* Of all together, those who were removed included. */
void ss_users_total(const struct ss_users *, struct ss_user_counters *out);
/* Whom a header names, or NULL. */
struct ss_user *ss_users_find_tcp(const struct ss_users *, const uint8_t *salt, const uint8_t header[SS_IDENTITY_LEN]);
struct ss_user *ss_users_find_udp(const struct ss_users *, const uint8_t ids[16], const uint8_t header[SS_IDENTITY_LEN]);

#endif
