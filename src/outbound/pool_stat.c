/* See pool_stat.h. The score is shadowsocks-rust's (server_stat.rs), the
 * failure count that of the first Shadowsocks in Go. */
#include "outbound/pool_stat.h"

#include <float.h>
#include <stdlib.h>

#define FAIL_WEIGHT 3.0
#define WEIGHTS 5.0 /* of median 1, failure rate 3, deviation 1 */
#define PATIENCE 20u
#define FAVOUR 0.9

void pool_stat_success(struct pool_stat *s, uint32_t rtt_ms)
{
	s->failures = 0;
	s->proven = true;
	s->rtt_ms = rtt_ms;
}

void pool_stat_failure(struct pool_stat *s, uint64_t now_ms)
{
	if (s->failures < POOL_FAILURES_MAX)
		s->failures++;
	s->failed_ms = now_ms ? now_ms : 1;
	s->failed++;
}

void pool_stat_probe(struct pool_stat *s, uint32_t rtt_ms)
{
	s->probes[s->next_probe] = rtt_ms;
	s->next_probe = (s->next_probe + 1) % POOL_WINDOW;
	if (s->n_probes < POOL_WINDOW)
		s->n_probes++;
}

/* ---- the score ---- */

static int by_number(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_number);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

double pool_stat_score(const struct pool_stat *s, uint32_t max_rtt_ms, uint32_t weight)
{
	double rtts[POOL_WINDOW], middle = max_rtt_ms, deviation = 0;
	int n = 0;

	if (!s->n_probes)
		return -1;
	for (uint32_t i = 0; i < s->n_probes; i++)
		if (s->probes[i] != POOL_PROBE_FAILED)
			rtts[n++] = s->probes[i];
	if (n) {
		middle = median(rtts, n);
		for (int i = 0; i < n; i++)
			rtts[i] = rtts[i] > middle ? rtts[i] - middle : middle - rtts[i];
		deviation = median(rtts, n);
	}
	return (middle / max_rtt_ms + FAIL_WEIGHT * (s->n_probes - (uint32_t)n) / s->n_probes + deviation / max_rtt_ms) / WEIGHTS *
	       1000 / weight;
}

/* ---- the order ---- */

struct rank {
	int group;    /* lower first, */
	double place; /* and within it lower first */
	int index;
};

static int by_rank(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;

	if (x->group != y->group)
		return x->group - y->group;
	if (x->place < y->place || x->place > y->place)
		return x->place < y->place ? -1 : 1;
	return x->index - y->index;
}

static bool is_resting(const struct pool_choice *c, const struct pool_stat *s)
{
	return s->failures && c->now_ms - s->failed_ms < POOL_REST_MS;
}

static struct rank rank_of(const struct pool_choice *c, const struct pool_candidate *m, int index)
{
	struct rank r = { .place = index, .index = index };
	double score;

	switch (c->policy) {
	case POOL_FAILCOUNT:
		r.group = m->stat->failures && c->random_below(m->stat->failures + PATIENCE) != 0;
		break;
	case POOL_LATENCY:
		score = pool_stat_score(m->stat, c->max_rtt_ms, m->weight);
		r.group = m->stat->failures != 0;
		r.place = score < 0 ? DBL_MAX : m->favoured ? score * FAVOUR : score;
		break;
	case POOL_ORDER:
		r.group = is_resting(c, m->stat);
		break;
	case POOL_STICKY:
		r.group = is_resting(c, m->stat);
		r.place = (double)m->hash;
		break;
	}
	return r;
}

void pool_order(const struct pool_choice *c, const struct pool_candidate *m, int n, uint16_t *order)
{
	struct rank ranks[n > 0 ? n : 1];

	for (int i = 0; i < n; i++)
		ranks[i] = rank_of(c, &m[i], i);
	qsort(ranks, (size_t)n, sizeof(*ranks), by_rank);
	for (int i = 0; i < n; i++)
		order[i] = (uint16_t)ranks[i].index;
}
