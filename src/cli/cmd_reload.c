/*
 * `gatun reload`: the request "reload" to the one instance of this user that runs, or
 * to that at --control.
 *
 * Exit codes: 0 it is what its file says now; 1 it is not, or nothing runs.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/instance.h"

static int reload(const struct command *self, const char *path)
{
	json_t *answer = instance_ask(self, path, json_pack("{s:s}", "request", "reload"));
	int code = answer ? 0 : 1;

	json_decref(answer);
	return code;
}

static int reload_only(const struct command *self)
{
	char *path = instance_only(self, "reload");
	int code = path ? reload(self, path) : 1;

	free(path);
	return code;
}

int cmd_reload(const struct command *self, int argc, char **argv)
{
	if (args_want_help(self, argc, argv))
		return 0;
	if (argc == 1)
		return reload_only(self);
	if (argc == 3 && strcmp(argv[1], "--control") == 0)
		return reload(self, argv[2]);
	if (argc == 2 && strncmp(argv[1], "--control=", 10) == 0)
		return reload(self, argv[1] + 10);
	return help_usage_error(self, "it takes --control PATH, or nothing");
}
