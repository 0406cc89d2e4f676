/* What the request "flows" is answered, as a table for people. */
#ifndef GATUN_CTL_FLOW_TABLE_H
#define GATUN_CTL_FLOW_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Every column in full, a line each; then how many more there are. */
void flow_table_print(FILE *, const json_t *answer);

/* For a screen: the busiest columns only. Lines are as wide as they get; the caller cuts. */
void flow_table_head(FILE *);
/* The i-th must be there. */
void flow_table_row(FILE *, const json_t *answer, size_t i, int columns);
/* "and 1,234 more", or nothing; false: nothing. shown: how many were. */
bool flow_table_rest(FILE *, const json_t *answer, size_t shown);

#endif
