/* `gatun local`: a proxy for programs that are told of it. The inbounds are the engine's. */
#include "cli/args.h"
#include "roles/roles.h"

int cmd_local(const struct command *self, int argc, char **argv)
{
	return args_run_engine(self, argc, argv, role_local);
}
