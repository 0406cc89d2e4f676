/*
 * Several ways as one: an outbound over outbounds. A new flow is given to one of
 * them as the policy says (pool_stat.h), and to the next when that one fails,
 * unseen by the app; flows that stand stay where they are. See pool.c for what
 * can be tried again and what cannot.
 */
#ifndef GATUN_OUTBOUND_POOL_H
#define GATUN_OUTBOUND_POOL_H

#include "outbound/outbound.h"
#include "outbound/pool_stat.h"

#define POOL_MEMBERS_MAX 1024

struct pool_member_options {
	struct outbound *outbound; /* taken: freed when it is no longer used */
	const char *address;	   /* for status; copied */
	uint32_t tcp_weight, udp_weight; /* thousandths; 0: carries none of it */
};

struct pool_change;

struct pool_options {
	enum pool_policy policy;
	/* POOL_LATENCY */
	uint32_t max_rtt_ms, interval_ms;
	uint32_t best_interval_ms;   /* 0 = interval_ms */
	struct target probe_host;    /* port 0: TCP is probed by a connect alone */
	const char *probe_path;	     /* copied */
	struct target probe_dns;     /* port 0: UDP is not probed */
};

/* Who a pool is to have, 1..POOL_MEMBERS_MAX of them: whatever may fail of becoming it. After loop_init().
 * NULL: out of memory, and the members' outbounds are still the caller's. */
struct pool_change *pool_prepare(const struct pool_options *, const struct pool_member_options *, int n);
/* Takes them, also where it is NULL: out of memory. */
struct outbound *pool_new(struct pool_change *);
/* They take the place of those it has; who is still there (by name and address) keeps
 * what is known of him, flows stay. */
void pool_apply(struct outbound *pool, struct pool_change *);
/* Instead of either: frees them and their outbounds. NULL is none. */
void pool_withdraw(struct pool_change *);

struct outbound_pool_status {
	const char *name, *address;
	const char *state;     /* "up", "down", "unknown": the worse of TCP and UDP */
	uint32_t tcp_failures, udp_failures; /* in a row */
	int32_t tcp_rtt_ms, udp_rtt_ms;	     /* -1: not known */
	double tcp_score, udp_score;	     /* negative: none */
	bool tcp, udp;	       /* carried at all */
	uint64_t up, down;     /* payload bytes */
	struct clock_skew skew; /* of its clock */
	uint16_t path_limit;	/* longer packets vanish on the way to it; 0: none is known */
};
/* Of the i-th member, in the order of the config; false past the last. Texts
 * are borrowed until the loop turns. */
bool outbound_pool_status(const struct outbound *pool, int i, struct outbound_pool_status *);

#endif
