/* What a gatun can be, each from its beginning to its end: the far end, or one of three near
 * ones. Each builds what it needs from a checked config and runs the loop. */
#ifndef GATUN_ROLES_ROLES_H
#define GATUN_ROLES_ROLES_H

#include "conf/config.h"
#include "sys/sandbox.h"

/* The far end: listens as config->servers[] say until SIGTERM or SIGINT.
 * 0, or an exit code with the reason logged. */
int role_server(const struct config *);

/* `local`: the inbounds of config->locals until SIGTERM or SIGINT. As role_server. */
int role_local(const struct config *);

/* `run`: drives the TUN of a sandbox until its child ends, then returns the
 * exit code of the command (128+N for a signal). 125: the engine failed. */
int role_run(const struct config *, const struct sandbox *);

/* `up`: this machine, or a LAN behind it, until SIGTERM or SIGINT. As role_server. */
int role_up(const struct config *);

#endif
