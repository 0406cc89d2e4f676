/* The known word nearest to one that is not known: "did you mean". */
#ifndef GATUN_CONF_NEAREST_H
#define GATUN_CONF_NEAREST_H

/* Edit distance: insert, delete, replace and swap of neighbours count one each. */
unsigned nearest_distance(const char *a, const char *b);

struct nearest {
	const char *word; /* what is looked for */
	const char *best; /* the best so far, or NULL */
	unsigned distance;
};
/* Offers a candidate: kept if nearer than those before and near enough to be
 * meant (a third of the word's length, at least one, at most three edits). */
void nearest_offer(struct nearest *, const char *candidate);

#endif
