/* What args_walk.c (what was given) and args.c (what becomes of it) share. Nobody else includes it. */
#ifndef GATUN_CLI_ARGS_IMPL_H
#define GATUN_CLI_ARGS_IMPL_H

#include <stdbool.h>

#include "cli/command.h"
#include "conf/load.h"

struct given {
	const struct option_row *row; /* NULL: SERVER */
	char *value;		      /* NULL: a flag */
};

struct args {
	const struct command *command;
	int argc;
	char **argv;
	struct given *given;
	int n_given;
	char **rest;	/* behind `--` */
	bool help;
	int failed;	/* the exit code of wrong usage, already explained; 0: none */
	struct loading loading;
};

/* Fills in `given` (with room for all), `rest`, `help`, `failed`. */
void args_walk(struct args *);
/* Does the subcommand run one? */
bool args_want_command(const struct args *);
/* The first option of a type; NULL: there is none. */
const struct given *args_find(const struct args *, enum option_type);
const struct given *args_find_url(const struct args *);

#endif
