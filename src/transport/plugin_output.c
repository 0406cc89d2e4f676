/* Lines of a plugin; see plugin_output.h. */
#include "transport/plugin_output.h"

#include <string.h>

void plugin_output_begin(struct plugin_output *o)
{
	o->len = 0;
	o->last[0] = 0;
}

static void say(struct plugin_output *o)
{
	if (!o->len)
		return;
	o->line[o->len] = 0;
	o->len = 0;
	if (o->options && *o->options && strstr(o->line, o->options)) {
		strcpy(o->last, "(a line with its options)");
		return;
	}
	log_escape(o->line, strlen(o->line), o->last, sizeof(o->last));
	if (log_level() >= LOG_LEVEL_INFO)
		log_at(&o->sites[o->said++ % PLUGIN_LINES_PER_S], LOG_LEVEL_INFO, "plugin %s says: %s", o->name, o->last);
}

/* Bytes beyond the room of a line are another line. */
void plugin_output_take(struct plugin_output *o, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = bytes[i] ? bytes[i] : '?';

		if (c == '\n' || c == '\r' || o->len == sizeof(o->line) - 1)
			say(o);
		if (c != '\n' && c != '\r')
			o->line[o->len++] = c;
	}
}

const char *plugin_output_end(struct plugin_output *o)
{
	say(o);
	return o->last;
}
