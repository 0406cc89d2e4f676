/* `gatun status --watch`: the same once a second, until q, a signal, or (into a file or a
 * pipe) the instance's end. */
#ifndef GATUN_CLI_STATUS_WATCH_H
#define GATUN_CLI_STATUS_WATCH_H

#include "cli/command.h"

/* control: a socket's path, or NULL: the one instance that runs, whichever it is by then.
 * Returns the exit code. */
int status_watch(const struct command *, const char *control);

#endif
