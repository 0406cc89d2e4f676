/*
 * Does a server know the mark of proto/true_connect.h? What has been learned
 * about one server, and how long a connect may wait for its answer. Time is
 * handed in; see awareness.c.
 */
#ifndef GATUN_OUTBOUND_AWARENESS_H
#define GATUN_OUTBOUND_AWARENESS_H

#include <stdbool.h>
#include <stdint.h>

enum awareness_state { AWARENESS_UNKNOWN, AWARENESS_AWARE, AWARENESS_UNAWARE };

struct awareness {
	uint8_t state;
	uint32_t misses;   /* in a row, while UNKNOWN */
	uint32_t pause_ms; /* the last one's length */
	uint64_t until_ms; /* UNAWARE */
};

/* Is this connect to ask? */
bool awareness_asks(struct awareness *, uint64_t now);
/* How long it waits for the answer. rtt_ms: what the server's own TCP took;
 * limit_ms: what a connect may take. */
uint64_t awareness_patience_ms(const struct awareness *, uint64_t rtt_ms, uint64_t limit_ms);
/* The server answered: in the way that was asked for, or with data. */
void awareness_learn(struct awareness *, bool aware, uint64_t now);
/* It was asked and said nothing in time, or broke off without a word. */
void awareness_missed(struct awareness *, uint64_t now);

#endif
