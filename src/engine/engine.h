/* What lives and ends with an engine, and stands above it. */
#ifndef GATUN_ENGINE_ENGINE_H
#define GATUN_ENGINE_ENGINE_H

#include "conf/config.h"

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

#endif
