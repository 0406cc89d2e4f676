/*
 * What `gatun status --watch` shows: one second of an instance, in so many columns
 * and rows, made from two status documents and the list of its busiest flows. It
 * knows no terminal: lines of text come out, and which of them matter.
 */
#ifndef GATUN_CTL_SCREEN_H
#define GATUN_CTL_SCREEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SCREEN_FLOWS 10 /* how many flows it has use for */

struct screen {
	const json_t *now;    /* status; NULL: nobody answers */
	const json_t *before; /* status of the same instance, `elapsed_ms` earlier, or NULL: no rates */
	const json_t *flows;  /* answer to "flows", or NULL */
	uint64_t elapsed_ms;
	const char *trouble;  /* instead of a document: why there is none */
	int columns, rows;
	bool color;
};

/* At most `rows` lines, none wider than `columns`; each ends with "\n", the last too. */
void screen_print(FILE *, const struct screen *);
/* The same moment in one line, for who keeps it in a file: nothing is cut. */
void screen_print_line(FILE *, const struct screen *, const char *clock);

#endif
