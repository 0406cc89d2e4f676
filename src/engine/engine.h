/* Builds inbounds, routes and outbounds from a configuration and runs the loop.
 * It does not know what the bytes mean. */
#ifndef GATUN_ENGINE_ENGINE_H
#define GATUN_ENGINE_ENGINE_H

#include <sys/types.h>

#include "conf/config.h"
#include "sys/sandbox.h"

/* The far end: listens as config->servers[] say until SIGTERM or SIGINT.
 * 0, or an exit code with the reason logged. */
int engine_server(const struct config *);

/* `local`: the inbounds of config->locals until SIGTERM or SIGINT. As engine_server. */
int engine_local(const struct config *);

/* `run`: drives the TUN of a sandbox until its child ends, then returns the
 * exit code of the command (128+N for a signal). 125: the engine failed. */
int engine_run(const struct config *, const struct sandbox *);

/* The TUN's MTU for a client config: what fits the path to the server without
 * outer fragmentation (transparency.md, "UDP of any size"). */
int engine_tun_mtu(const struct config *);

#endif
