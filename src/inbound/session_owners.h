/*
 * Which of several workers has a SIP022 session, and the way to it.
 *
 * Workers share a UDP port, and the kernel gives a datagram to one of them by
 * the addresses it travels between. A session's client may move, and then its
 * datagrams come to a worker that does not know it: that one asks here, and
 * hands the datagram over as it came, with the client's new address. The owner
 * opens it as if its own socket had brought it, so that window, users and limits
 * are asked where they are kept, and answers from its own socket on the same port.
 *
 * A session is owned from its first authentic datagram until what was recorded
 * of it can no longer pass (ss_graves.h): nobody else must begin it anew before.
 * The table is in memory that the workers share; a worker asks it about
 * sessions that it does not know, and never about those that it does.
 */
#ifndef GATUN_INBOUND_SESSION_OWNERS_H
#define GATUN_INBOUND_SESSION_OWNERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "io/udp_socket.h"

/* Descriptors that session_owners_fds() gives at most. */
#define SESSION_OWNERS_FDS(workers) ((workers) + 1)

/* ---- the supervisor, before it forks ---- */

struct session_owners;
/* NULL: no memory, or no descriptors. */
struct session_owners *session_owners_new(int workers);
void session_owners_free(struct session_owners *);
/* What a worker has to keep open of it; how many. */
int session_owners_fds(const struct session_owners *, int worker, int *fds);
/* This worker has died, and what it knew of its sessions is lost. */
void session_owners_bury(struct session_owners *, int worker);

/* ---- a worker ---- */

/* From now on it takes what others hand over. 0 or -errno. */
int session_owners_join(struct session_owners *, int worker);
void session_owners_leave(struct session_owners *);

/* A port of ours; the same address on all workers. Embedded by whoever listens. */
struct session_listener {
	struct list node;
	struct addr at;
	/* One whole datagram that another worker received. */
	void (*receive)(struct session_listener *, const struct udp_message *);
};
void session_owners_listen(struct session_owners *, struct session_listener *);

/* Another worker that has this session, or -1. */
int session_owners_find(struct session_owners *, const struct session_listener *, uint64_t session, uint64_t now_ms);
/* It is ours now. False: another worker was quicker. */
bool session_owners_claim(struct session_owners *, const struct session_listener *, uint64_t session, uint64_t now_ms);
/* We have forgotten it; it stays ours until then. */
void session_owners_release(struct session_owners *, const struct session_listener *, uint64_t session, uint64_t until_ms);
/* Gives a datagram to its owner. False: it is busy, and the datagram lost. */
bool session_owners_hand_over(struct session_owners *, int worker, const struct session_listener *, const struct udp_message *from,
			      const uint8_t *data, size_t len);

/* An array of so many words for the workers' UDP, all zero at first: see ss_salts.h. */
uint64_t *session_owners_salts(struct session_owners *);

#endif
