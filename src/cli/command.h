/*
 * A subcommand: one row of commands.c and one file cmd_<name>.c. The row's
 * texts are its --help, its line in `gatun help` and its section in the man
 * page; the options below them come from conf/option.c's table.
 */
#ifndef GATUN_CLI_COMMAND_H
#define GATUN_CLI_COMMAND_H

#include <stdbool.h>

#include "conf/option.h"

#define EXIT_USAGE 2
#define EXIT_BAD_CONFIG 3
#define EXIT_RUN_FAILED 125 /* `run`: gatun itself failed; other numbers are the command's */

struct command {
	const char *name;
	unsigned option_bit;	/* enum option_where: which rows of the option table are its own */
	/* argv[0] is the subcommand's name. Returns the exit code. */
	int (*run)(const struct command *, int argc, char **argv);
	const char *synopsis;	/* "[SERVER] [options] -- COMMAND [ARG...]" */
	const char *summary;	/* one line */
	const char *text;	/* what a user must know, lines of at most 80 columns */
	const char *example;	/* a command line that works */
};

int cmd_run(const struct command *, int argc, char **argv);
int cmd_up(const struct command *, int argc, char **argv);
int cmd_down(const struct command *, int argc, char **argv);
int cmd_server(const struct command *, int argc, char **argv);
int cmd_local(const struct command *, int argc, char **argv);
int cmd_reload(const struct command *, int argc, char **argv);
int cmd_status(const struct command *, int argc, char **argv);
int cmd_check(const struct command *, int argc, char **argv);
int cmd_doctor(const struct command *, int argc, char **argv);
int cmd_url(const struct command *, int argc, char **argv);
int cmd_genkey(const struct command *, int argc, char **argv);
int cmd_ciphers(const struct command *, int argc, char **argv);
int cmd_version(const struct command *, int argc, char **argv);
int cmd_help(const struct command *, int argc, char **argv);

/* The rows of commands.c, ended by one without a name. */
const struct command *command_table(void);
const struct command *command_find(const char *name);
/* Does it make sense without a server, with options of its own? */
bool command_is_serverless(const struct command *);
/* Says that there is no such command, and which is near. Returns the exit code. */
int command_unknown(const char *name);

/* `gatun SUB --help` and `gatun help`, to stdout. */
void help_print_command(const struct command *);
void help_print_all(const struct command *table);
/* "gatun SUB: message" and the synopsis, to stderr. Returns the exit code for
 * wrong usage: 2, or 125 for `run`. */
int help_usage_error(const struct command *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
