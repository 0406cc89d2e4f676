/*
 * A config read again while an engine runs: on SIGHUP, or on the request
 * "reload" (status.h). What changes is the engine's business; here stands when, and
 * that a config which cannot be had changes nothing.
 */
#ifndef GATUN_ENGINE_RELOAD_H
#define GATUN_ENGINE_RELOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "conf/config.h"

struct reload_source {
	/* Reads the config again, options of the command line and all. False: what is
	 * wrong has been said, and stands in `why` as one line. */
	bool (*read)(void *owner, struct config *fresh, char *why, size_t size);
	void *owner;
};
/* Before the engine; borrowed. NULL, as at first: there is nothing to read again. */
void reload_set_source(const struct reload_source *);
/* Is there something to read again? */
bool reload_has_source(void);

/*
 * update(): becomes what `fresh` says and keeps the flows that may stay. 0: fresh
 * lives until the next success or reload_end(), so nothing may point to the last
 * one any more (the config of the start lives on as it is). -errno, logged:
 * nothing has changed, fresh goes. It is called from the loop, outside all events.
 * `initial` is the config of the start; signal: SIGHUP reloads.
 */
void reload_begin(const struct config *initial, int (*update)(void *owner, const struct config *fresh), void *owner, bool signal);
void reload_end(void);
/* The request itself, for a supervisor, who passes all others on. */
json_t *reload_request(void);
/* In a child of the process that began: it listens to no signal, and the config that it
 * was born with is never freed. */
void reload_forget(void);

#endif
