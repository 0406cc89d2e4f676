/* `gatun up`: this machine, or a LAN behind it. What it takes is the engine's and the gate's. */
#include "cli/args.h"
#include "roles/roles.h"

int cmd_up(const struct command *self, int argc, char **argv)
{
	return args_run_engine(self, argc, argv, role_up);
}
