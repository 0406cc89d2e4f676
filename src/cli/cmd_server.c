/* `gatun server`: the far end. Everything that listens is the engine's. */
#include "cli/args.h"
#include "roles/roles.h"

int cmd_server(const struct command *self, int argc, char **argv)
{
	return args_run_engine(self, argc, argv, role_server);
}
