/*
 * Does UDP to a server work? A breaker that watches what is sent and what comes
 * back and says which way a new association takes. Time is handed in; see
 * breaker.c for its states.
 */
#ifndef GATUN_OUTBOUND_BREAKER_H
#define GATUN_OUTBOUND_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_STATES };
enum breaker_way { WAY_UDP, WAY_TCP, WAY_BOTH };

struct breaker {
	uint8_t state;
	bool was_open;		  /* HALF_OPEN: it was OPEN before, not CLOSED */
	uint32_t silent_datagrams, silent_associations; /* since UDP last answered */
	uint64_t silent_since_ms; /* the first of them; 0: none */
	uint64_t retry_ms;	  /* OPEN: when UDP is tried again */
	uint32_t backoff_ms;
	uint64_t trips;		  /* how often it went from CLOSED to OPEN */
};

void breaker_init(struct breaker *);
/* n datagrams leave by UDP; fresh: the first of their association.
 * tcp_heard_ms: when a byte last came by TCP; 0: never. */
void breaker_sent(struct breaker *, uint64_t now, uint32_t n, bool fresh, uint64_t tcp_heard_ms);
/* A datagram came back by UDP. */
void breaker_answered(struct breaker *);
/* A race's end: TCP brought an answer and UDP none. */
void breaker_lost(struct breaker *, uint64_t now);
/* A race's end: nobody answered. */
void breaker_undecided(struct breaker *, uint64_t now);
/* The way for what is sent now. */
enum breaker_way breaker_way(struct breaker *, uint64_t now);
/* "closed", "open", "half-open". */
const char *breaker_state_name(enum breaker_state);

#endif
