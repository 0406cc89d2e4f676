/* What is said of a config that was loaded, and how loud everything after is. */
#ifndef GATUN_CLI_REPORT_H
#define GATUN_CLI_REPORT_H

#include "cli/command.h"
#include "conf/config.h"
#include "conf/problem.h"

/* The log as -v, -q and --log-format say. */
void report_set_up_log(const struct command *, const struct config *);
/* Prints the problems that are worth it: to standard error, or as lines of the log for
 * who asked for JSON. */
void report_problems(const struct command *, struct problems *, const struct config *);

#endif
