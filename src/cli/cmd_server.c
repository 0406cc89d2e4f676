/* `gatun server`: the far end. Everything that listens is the engine's. */
#include "cli/args.h"
#include "engine/engine.h"
#include "sys/secrets.h"

int cmd_server(const struct command *self, int argc, char **argv)
{
	struct config config;
	char **rest;
	int code;

	if (!args_load_config(self, argc, argv, &config, &rest, &code))
		return code;
	sys_secrets_protect();
	code = engine_server(&config);
	config_free(&config);
	return code;
}
