/* The pool's insides, shared by pool*.c and nobody else. */
#ifndef GATUN_OUTBOUND_POOL_IMPL_H
#define GATUN_OUTBOUND_POOL_IMPL_H

#include "loop/loop.h"
#include "outbound/pool.h"

enum pool_kind { POOL_TCP, POOL_UDP, POOL_KINDS };

struct pool_member;

/* One probe under way, or the wait for the next; pool_probe.c. */
struct pool_probe {
	struct pool_member *member;
	enum pool_kind kind;
	struct loop_timer timer; /* the next one, or the end of patience */
	struct dial *dial;
	struct stream *stream;
	struct datagram_port *port;
	uint64_t began_ms;
	uint32_t got; /* bytes of the answer */
	uint8_t answer[12];
	uint16_t id;
};

struct pool_member {
	struct pool *pool;
	struct outbound *outbound;
	char *address;
	uint32_t weight[POOL_KINDS]; /* 0: none of it */
	struct pool_stat stat[POOL_KINDS];
	struct pool_probe probe[POOL_KINDS];
	uint64_t base_up, base_down; /* before a reload */
	uint64_t name_hash;
	uint32_t refs; /* the pool's, tries, ports */
	struct loop_work free_work;
};

struct pool {
	struct outbound outbound;
	struct pool_options options;
	char *probe_path;
	struct pool_member **members;
	int n;
	const struct pool_member *best[POOL_KINDS]; /* POOL_LATENCY: compared, never followed */
};

/* ---- pool.c ---- */
struct pool_member *pool_member_hold(struct pool_member *);
void pool_member_release(struct pool_member *);
/* Fills `out` (room for pool->n) with the members for a flow of this client
 * (NULL: nobody in particular), in the order to try; returns how many. */
int pool_choose(struct pool *, enum pool_kind, const struct addr *client, struct pool_member **out);
void pool_member_succeeded(struct pool_member *, enum pool_kind, uint32_t rtt_ms);
void pool_member_failed(struct pool_member *, enum pool_kind);
/* The one or the other, and into the score; POOL_PROBE_FAILED. */
void pool_member_probed(struct pool_member *, enum pool_kind, uint32_t rtt_ms);

/* ---- pool_dial.c ---- */
struct dial *pool_connect(struct outbound *, const struct addr *client, const struct target *, const struct dial_events *, void *owner);
void pool_cancel(struct dial *);

/* ---- pool_port.c ---- */
struct datagram_port *pool_port(struct outbound *, const struct addr *client);

/* ---- pool_probe.c ---- */
/* Begins probing in a moment, if there is anything to choose. */
void pool_probe_start(struct pool_member *);
void pool_probe_stop(struct pool_member *);

#endif
