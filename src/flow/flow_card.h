/*
 * What is remembered of a flow, TCP or UDP, for those who ask which flows there
 * are: a number, who asks for what, by which way, and how much has passed. The
 * relay and the association table carry one in each of their flows; together the
 * cards are the list of this process's flows.
 *
 * It is made and dropped with its flow and is part of its memory. What passes costs
 * two additions a batch, and a look at the clock's seconds that the flow's idle
 * time needs anyway.
 *
 * It does not know what a flow is; that is behind flow_card_ops.
 */
#ifndef GATUN_FLOW_FLOW_CARD_H
#define GATUN_FLOW_FLOW_CARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"
#include "io/flow_end.h"

#define FLOW_WAY_SIZE 32     /* of a way's name, NUL included; longer ones are cut */
#define FLOW_WINDOW_MS 1000u /* what a rate is the mean of, at least */

/* Bytes of payload in each direction, and how many a second of late. */
struct flow_meter {
	uint64_t up, down;
	uint64_t at_up, at_down, at_ms;	      /* when the present window began */
	uint64_t last_up, last_down, last_ms; /* and the one before it: rates are of both, as much comes in bursts */
};

struct flow_card;

struct flow_card_ops {
	const char *protocol; /* "tcp", "udp" */
	/* A word, and since when nothing has passed (loop_now()). */
	const char *(*state)(const struct flow_card *, uint64_t *active_ms);
	/* The way now, where it changes with time; else NULL: flow_card_set_way() told. */
	void (*way)(const struct flow_card *, char out[FLOW_WAY_SIZE]);
	void (*end)(struct flow_card *, enum flow_end);
};

/* The last member of its flow, which is allocated with flow_card_size() more bytes. */
struct flow_card {
	const struct flow_card_ops *ops;
	struct list node;
	struct flow_meter meter;
	uint64_t number, born_ms;
	struct addr client, ip; /* ip: the target's, where it has no name; its port */
	char way[FLOW_WAY_SIZE]; /* "": none yet */
	uint8_t name_len;
	char name[]; /* the target's, as it came: escape it */
};

static inline size_t flow_card_size(const struct target *t)
{
	return t->name_len;
}

/* ---- the flow ---- */

/* Of zeroed memory. */
void flow_card_open(struct flow_card *, const struct flow_card_ops *, const struct addr *client, const struct target *,
		    uint64_t now_ms);
void flow_card_close(struct flow_card *);
void flow_card_set_way(struct flow_card *, const char *name);
/* The name of a way into `out`, cut between two characters where it is too long. */
void flow_way_copy(char out[FLOW_WAY_SIZE], const char *name);

void flow_meter_turn(struct flow_meter *, uint64_t now_ms);
/* Something has passed; once a second it begins a new window. */
static inline void flow_meter_touch(struct flow_meter *m, uint64_t now_ms)
{
	if (now_ms - m->at_ms >= FLOW_WINDOW_MS)
		flow_meter_turn(m, now_ms);
}

/* ---- who asks ---- */

/* Of the last moments: 0 once it has been silent for two seconds. */
void flow_meter_rates(const struct flow_meter *, uint64_t now_ms, uint64_t *up, uint64_t *down);
void flow_card_target(const struct flow_card *, struct target *out);
/* Every flow there is, oldest first. The list does not change meanwhile. */
void flow_cards_each(void (*fn)(void *owner, struct flow_card *), void *owner);
size_t flow_cards_count(void);
struct flow_card *flow_card_find(uint64_t number); /* or NULL */

/* From now on numbers are index + n, index + 2 n, ...: those of the index-th of n
 * processes, so that number % n tells whose flow it is. Without it: 1, 2, 3. */
void flow_cards_number(unsigned index, unsigned n);

#endif
