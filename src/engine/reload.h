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
 * How an engine becomes what `fresh` says, and keeps the flows that may stay. All are called
 * from the loop, outside all events, and the loop does not turn between the first and the second.
 */
struct reload_steps {
	/* Everything that may fail. 0; or -errno, logged, and nothing has changed: neither of the others follows. */
	int (*prepare)(void *owner, const struct config *fresh);
	/* fresh lives until the next success or reload_end(), so nothing may point to the last one any
	 * more (the config of the start lives on as it is). */
	void (*apply)(void *owner, const struct config *fresh);
	/* Instead of that: nothing has changed, fresh goes. */
	void (*withdraw)(void *owner);
};
/* `initial` is the config of the start; signal: SIGHUP reloads. */
void reload_begin(const struct config *initial, const struct reload_steps *, void *owner, bool signal);
void reload_end(void);
/* The request itself, for a supervisor, who passes all others on. */
json_t *reload_request(void);
/* Several processes reload as one: each is asked to prepare (RELOAD_PREPARE), and when all
 * could, or not, told RELOAD_APPLY or RELOAD_WITHDRAW. */
#define RELOAD_PREPARE "reload_prepare"
#define RELOAD_APPLY "reload_apply"
#define RELOAD_WITHDRAW "reload_withdraw"
/* Prepared, and neither the one nor the other: its loop must not turn. */
bool reload_is_pending(void);
/* In a child of the process that began: it listens to no signal, and the config that it
 * was born with is never freed. */
void reload_forget(void);

#endif
