/*
 * What a plugin says, line by line into our log under its name. A plugin that
 * talks without end gets ten lines a second; how many were held back is told,
 * as for every line of ours. Its last line is kept: it is often the reason.
 */
#ifndef GATUN_TRANSPORT_PLUGIN_OUTPUT_H
#define GATUN_TRANSPORT_PLUGIN_OUTPUT_H

#include <stddef.h>

#include "base/log.h"

#define PLUGIN_LINE_MAX 400
#define PLUGIN_LINES_PER_S 10

struct plugin_output {
	const char *name;    /* for the log */
	const char *options; /* never shown, should the plugin say them; or NULL */
	char line[PLUGIN_LINE_MAX];
	size_t len;
	char last[PLUGIN_LINE_MAX];
	struct log_site sites[PLUGIN_LINES_PER_S];
	unsigned said;
};

/* A new life of the plugin: nothing was said yet. */
void plugin_output_begin(struct plugin_output *);
void plugin_output_take(struct plugin_output *, const char *bytes, size_t len);
/* The last line, whole or not, printable: "" if there was none. */
const char *plugin_output_end(struct plugin_output *);

#endif
