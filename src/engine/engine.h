/* Builds inbounds, routes and outbounds from a configuration and runs the loop.
 * It does not know what the bytes mean. */
#ifndef GATUN_ENGINE_ENGINE_H
#define GATUN_ENGINE_ENGINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "conf/config.h"
#include "sys/sandbox.h"

/* What stands above an engine and lives with it (ctl/). */
struct engine_hooks {
	/* Everything is open and no right is dropped yet. 0, or -errno with the
	 * reason logged: then the engine does not start. */
	int (*started)(const struct config *);
	/* Nothing is taken down yet. Comes also where `started` did not, and may come twice. */
	void (*ending)(void);
};
/* Borrowed; NULL: none. Before the engine. */
void engine_set_hooks(const struct engine_hooks *);

/* The far end: listens as config->servers[] say until SIGTERM or SIGINT.
 * 0, or an exit code with the reason logged. */
int engine_server(const struct config *);

/* `local`: the inbounds of config->locals until SIGTERM or SIGINT. As engine_server. */
int engine_local(const struct config *);

/* `run`: drives the TUN of a sandbox until its child ends, then returns the
 * exit code of the command (128+N for a signal). 125: the engine failed. */
int engine_run(const struct config *, const struct sandbox *);

/* `up`: this machine, or a LAN behind it, until SIGTERM or SIGINT. As engine_server. */
int engine_up(const struct config *);

/* The TUN's MTU for a client config: what fits the path to the server without
 * outer fragmentation. may_ask: a server's name may be looked up, which blocks. */
int engine_tun_mtu(const struct config *, bool may_ask);

#endif
