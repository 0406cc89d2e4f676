/* `gatun help [COMMAND]` and `gatun version`. */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/completion.h"

int cmd_help(const struct command *self, int argc, char **argv)
{
	const struct command *wanted;

	if (argc == 3 && strcmp(argv[1], "--completion") == 0) {
		if (completion_print(stdout, argv[2]))
			return 0;
		return help_usage_error(self, "--completion: one of %s", completion_shells());
	}
	if (argc < 2 || args_want_help(self, argc, argv)) {
		if (argc < 2)
			help_print_all(command_table());
		return 0;
	}
	wanted = command_find(argv[1]);
	if (!wanted)
		return command_unknown(argv[1]);
	help_print_command(wanted);
	return 0;
}

int cmd_version(const struct command *self, int argc, char **argv)
{
	if (args_want_help(self, argc, argv))
		return 0;
	if (argc > 1)
		return help_usage_error(self, "takes no arguments");
	printf("gatun %s\n", GATUN_VERSION);
	return 0;
}
