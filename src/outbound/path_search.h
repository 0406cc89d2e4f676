/*
 * How long may packets be on a path whose routers say nothing? The search of RFC 8899 (section
 * 5.3) without sockets and clocks: which sizes to send next, what their answers mean.
 *
 *	the longest ── answered ─────────────────────────────────────────→ PATH_OPEN
 *	    │ and not, again and again, though the floor's are
 *	    └── seven sizes between what passes and what does not, anew; at
 *	        last the shortest that does not, once more ──────────────→ PATH_LIMITED
 *	                                     the floor is not answered ──→ PATH_UNKNOWN
 *
 * Loss is no limit. Beside every size the floor is sent, which every path takes, and how many of
 * those are answered says what an unanswered packet means: a size is given up only when that
 * many losses in a row had a chance of one in ten thousand. (RFC 8899's MAX_PROBES, 3, takes
 * three losses for a limit.) Where a server or a resolver is dead, the floor is not answered
 * either, and nothing was learnt.
 */
#ifndef GATUN_OUTBOUND_PATH_SEARCH_H
#define GATUN_OUTBOUND_PATH_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#define PATH_TRIES 8 /* tries[0] is the floor */

enum path_verdict { PATH_SEARCHING, PATH_OPEN, PATH_LIMITED, PATH_UNKNOWN };

struct path_try {
	uint16_t size;
	uint16_t sent, answers;
	bool due; /* to be sent now */
};

struct path_search {
	uint16_t low, high;   /* passes; does not */
	uint16_t most;	      /* the longest that anybody would send */
	uint16_t turns, round; /* `round` goes up when tries stand for other sizes */
	int n;
	struct path_try tries[PATH_TRIES];
};

/* floor: what every path takes; most > floor: up to where to look. */
void path_search_begin(struct path_search *, uint16_t floor, uint16_t most);
/* A turn, as long after the last as an answer takes: judges what was sent, and marks with `due`
 * what is to be sent now. PATH_LIMITED: `low` is the longest that passes. */
enum path_verdict path_search_turn(struct path_search *);
/* An answer to tries[i] of this round. */
void path_search_answered(struct path_search *, int i);
/* Is what is known now enough for a verdict, or another round, before the turn is over? */
bool path_search_is_settled(const struct path_search *);
/* The kernel has learnt meanwhile that more than `most` does not pass. */
void path_search_shrink(struct path_search *, uint16_t most);

#endif
