/*
 * Several processes for one configuration: a supervisor, which carries no
 * traffic, and its workers. See workers.c for the theory of operation.
 */
#ifndef GATUN_ENGINE_WORKERS_H
#define GATUN_ENGINE_WORKERS_H

#include "conf/config.h"

struct workers_plan {
	const char *mode;			  /* "server" or "local"; borrowed */
	int (*run)(const struct config *);	  /* what a worker does from its beginning to its end; gives its exit code */
};

/* How many the config asks for; "auto" is the processors that this process may use. */
int workers_wanted(const struct config *);

/* Runs workers_wanted() of them (more than one) until SIGTERM or SIGINT. 0, or an
 * exit code with the reason logged. */
int workers_run(const struct config *, const struct workers_plan *);

#endif
