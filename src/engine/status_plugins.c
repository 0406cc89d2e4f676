/* The part of the status document that tells of plugins; there is none without one. */
#include "engine/status.h"
#include "transport/plugin.h"

static const char *state_name(enum plugin_state s)
{
	return s == PLUGIN_READY ? "ready" : s == PLUGIN_STARTING ? "starting" : "down";
}

static json_t *describe_plugin(const struct plugin_view *v)
{
	char remote[TARGET_STRLEN];

	return json_pack("{s:s,s:s,s:s,s:I,s:I}", "name", v->name, "address", target_format(v->remote, remote), "state",
			 state_name(v->state), "starts", (json_int_t)v->starts, "deaths", (json_int_t)v->deaths);
}

static json_t *describe_plugins(void *owner)
{
	struct plugin_view v;
	json_t *all = NULL;

	(void)owner;
	for (int i = 0; plugins_view(i, &v); i++) {
		if (!all)
			all = json_array();
		json_array_append_new(all, describe_plugin(&v));
	}
	return all;
}

void engine_status_add_plugins(void)
{
	engine_status_add("plugins", describe_plugins, NULL);
}
