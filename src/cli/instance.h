/* Which running gatun a command means. */
#ifndef GATUN_CLI_INSTANCE_H
#define GATUN_CLI_INSTANCE_H

#include <jansson.h>

#include "cli/command.h"

/* The control socket of the one instance of this user that runs, for free(). NULL: there is
 * none, or several: what to do has been said. `words`: what was asked for ("reload"). */
char *instance_only(const struct command *, const char *words);
/* The same without a word; *n is how many there are. */
char *instance_find(int *n);
/* Asks it (takes the request). NULL: it did not, or it said why not: printed. */
json_t *instance_ask(const struct command *, const char *path, json_t *request);
/* "gatun COMMAND: PATH: why", to standard error. */
void instance_complain(const struct command *, const char *path, const char *why);

#endif
