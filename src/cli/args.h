/*
 * The command line of `run` and `server`: SERVER, -c FILE or -s -m -k, and the
 * options of the table, into a checked config. When it returns, no byte of a
 * password or of a URL's userinfo is left in argv or in the environment.
 */
#ifndef GATUN_CLI_ARGS_H
#define GATUN_CLI_ARGS_H

#include <stdbool.h>

#include "cli/command.h"
#include "conf/spec.h"

/*
 * Everything that is to be said has been printed when it returns.
 * true: *config is filled in and checked (free it with config_free), the log is
 *   set up as -v, -q and --log-format say, and *rest points to the arguments
 *   after `--`, NULL-terminated (NULL where the subcommand takes none). `run`
 *   always has at least one.
 * false: *exit_code says how the program ends: 0 after --help; 2 usage and
 *   3 bad config, or 125 for both in `run`. *config is empty.
 */
bool args_load_config(const struct command *, int argc, char **argv, struct config *config, char ***rest,
		      int *exit_code);
/* Where the config came from a file, its options are kept (secrets too) so that the engine
 * can load it again (engine/reload.h). After the engine: wipes them. */
void args_forget(void);

/* Gives $GATUN_PASSWORD to the servers without a password, and takes it out of
 * the environment in any case. */
void args_apply_environment(struct spec_list *);

/* A subcommand that is all engine: protects secrets before they are read, loads
 * the config, runs `engine` with it. Returns the exit code. */
int args_run_engine(const struct command *, int argc, char **argv, int (*engine)(const struct config *));

/* For subcommands with few arguments of their own: true if --help or -h was
 * among them and has been printed. */
bool args_want_help(const struct command *, int argc, char **argv);

#endif
