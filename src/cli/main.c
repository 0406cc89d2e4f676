/* gatun: finds the subcommand's row and runs it. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/command.h"

/* What tools ask in the old way. */
static const char *command_name(const char *arg)
{
	if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
		return "help";
	if (strcmp(arg, "--version") == 0 || strcmp(arg, "-V") == 0)
		return "version";
	return arg;
}

int main(int argc, char **argv)
{
	const struct command *c;
	int code;

	if (sodium_init() < 0)
		die(1, "libsodium finds no source of random bytes");
	if (argc < 2) {
		c = command_find("status");
		code = c->run(c, argc, argv);
	} else {
		c = command_find(command_name(argv[1]));
		if (!c)
			return command_unknown(argv[1]);
		code = c->run(c, argc - 1, argv + 1);
	}
	if (fflush(stdout) != 0 && code == 0)
		die(1, "cannot write to standard output");
	return code;
}
