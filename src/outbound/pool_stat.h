/*
 * What is known of one server, for TCP or for UDP, and the order in which a new
 * flow tries several of them. Numbers only: no sockets and no clock of its own;
 * time and chance are handed in.
 */
#ifndef GATUN_OUTBOUND_POOL_STAT_H
#define GATUN_OUTBOUND_POOL_STAT_H

#include <stdbool.h>
#include <stdint.h>

enum pool_policy {
	/* As configured, but past a server with n failures in a row except with
	 * probability 1/(n+20); those passed by come last. */
	POOL_FAILCOUNT,
	/* By score; see pool_stat_score(). */
	POOL_LATENCY,
	/* As configured; who failed within POOL_REST_MS comes last. */
	POOL_ORDER,
	/* By the hash of client and server, so that a client keeps its server and
	 * loses it only with it; who failed within POOL_REST_MS comes last. */
	POOL_STICKY,
};

#define POOL_FAILURES_MAX 30
#define POOL_REST_MS 30000u
#define POOL_WINDOW 67
#define POOL_PROBE_FAILED UINT32_MAX

struct pool_stat {
	uint32_t failures;  /* in a row, at most POOL_FAILURES_MAX */
	uint64_t failed_ms; /* when the last was; 0 = never */
	uint32_t failed;    /* how often in all */
	bool proven;	    /* it worked once */
	uint32_t rtt_ms;    /* of the last success; meaningless until proven */
	/* the last probes: milliseconds or POOL_PROBE_FAILED */
	uint32_t probes[POOL_WINDOW];
	uint32_t n_probes, next_probe;
};

/* A connect stood after so long, or a datagram came back. */
void pool_stat_success(struct pool_stat *, uint32_t rtt_ms);
void pool_stat_failure(struct pool_stat *, uint64_t now_ms);
/* A probe's outcome, for the score alone. */
void pool_stat_probe(struct pool_stat *, uint32_t rtt_ms);
/* (median + 3 * failure rate + deviation) / 5 / weight, of the probes, where
 * median and median absolute deviation are fractions of max_rtt_ms and weight is
 * in thousandths. Lower is better. Negative: no probe has come back yet. */
double pool_stat_score(const struct pool_stat *, uint32_t max_rtt_ms, uint32_t weight);

struct pool_candidate {
	const struct pool_stat *stat;
	uint64_t hash;	 /* of client and server, for POOL_STICKY */
	uint32_t weight; /* thousandths, over 0 */
	bool favoured;	 /* the best one so far: POOL_LATENCY leaves it only for one that is better by a tenth */
};

struct pool_choice {
	enum pool_policy policy;
	uint32_t max_rtt_ms;
	uint64_t now_ms;
	uint32_t (*random_below)(uint32_t bound);
};

/* Writes the indices 0..n-1 in the order to try them. */
void pool_order(const struct pool_choice *, const struct pool_candidate *, int n, uint16_t *order);

#endif
