/* A status document as a person reads it: plain text of 80 columns or so. */
#ifndef GATUN_CTL_REPORT_H
#define GATUN_CTL_REPORT_H

#include <jansson.h>
#include <stdio.h>

/* A line for who it is, then one or two for each thing that it has or did. What
 * is 0 and never was anything else is not mentioned. */
void ctl_report_print(FILE *, json_t *document);

#endif
