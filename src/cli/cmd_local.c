/* `gatun local`: a proxy for programs that are told of it. The inbounds are the engine's. */
#include "base/err.h"
#include "cli/args.h"
#include "engine/engine.h"
#include "sys/secrets.h"

int cmd_local(const struct command *self, int argc, char **argv)
{
	struct config config;
	char **rest;
	int code;

	code = sys_secrets_protect(); /* before they are read */
	if (code)
		die(1, "cannot protect the process err=%s", err_name(code));
	if (!args_load_config(self, argc, argv, &config, &rest, &code))
		return code;
	code = engine_local(&config);
	config_free(&config);
	return code;
}
