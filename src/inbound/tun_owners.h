/*
 * Workers on one TUN, a queue each: how a packet that the kernel could not
 * steer finds its flow.
 *
 * Steering (sys/steering.h) needs ports in the packet. A fragment has none, so
 * all fragments come to queue 0, whose worker puts them together; what it gets,
 * and IPv6 packets with extension headers, is handed to the worker that the
 * whole datagram would have been steered to. That one injects it into its own
 * struct tun as if its queue had brought it.
 */
#ifndef GATUN_INBOUND_TUN_OWNERS_H
#define GATUN_INBOUND_TUN_OWNERS_H

#include <stdbool.h>

struct tun;
struct packet;
struct tun_owners;

/* Descriptors that tun_owners_fds() gives at most. */
#define TUN_OWNERS_FDS(workers) ((workers) + 1)

/* ---- the supervisor, before it forks; worker i reads queue i of so many ---- */

/* NULL: no memory, or no descriptors. */
struct tun_owners *tun_owners_new(int workers);
void tun_owners_free(struct tun_owners *);
/* What a worker has to keep open of it; how many. */
int tun_owners_fds(const struct tun_owners *, int worker, int *fds);

/* ---- a worker ---- */

/* From now on it takes what others hand over, and tun hands over what is not its own
 * (tun_set_owners). 0 or -errno. Left before the tun is freed. */
int tun_owners_join(struct tun_owners *, int worker, struct tun *);
void tun_owners_leave(struct tun_owners *);

/* Of tun.c: true where a packet that could not be steered belongs to another worker, to whom
 * it has been given, or was lost because he is busy. */
bool tun_owners_hand_over(struct tun_owners *, const struct packet *);

#endif
