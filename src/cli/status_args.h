/* The command line of `gatun status`. */
#ifndef GATUN_CLI_STATUS_ARGS_H
#define GATUN_CLI_STATUS_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/command.h"

enum status_what { STATUS_ALL, STATUS_FLOWS, STATUS_KILL, STATUS_FLUSH };

struct status_args {
	enum status_what what;
	bool json, prometheus, watch;
	const char *control, *sort; /* or NULL */
	uint32_t limit;		    /* 0: not given */
	uint64_t flow;		    /* of STATUS_KILL */
};

/* 0, or the exit code of wrong usage, which has been said. */
int status_args_read(const struct command *, int argc, char **argv, struct status_args *);

#endif
