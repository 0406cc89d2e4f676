/*
 * Several processes for one configuration: a supervisor, which carries no
 * traffic, and its workers. See workers.c for the theory of operation.
 */
#ifndef GATUN_SUPERVISOR_WORKERS_H
#define GATUN_SUPERVISOR_WORKERS_H

#include "conf/config.h"

/* What `up` adds to a supervisor's life; no hook is called in a worker. Each that fails has logged why. */
struct workers_hooks {
	/* With all rights and no loop yet: opens what is to outlive workers. *n: how many are wanted; it may make
	 * that fewer. 0 or -errno. */
	int (*begin)(const struct config *, int *n);
	/* The descriptors of `begin` that a worker keeps open; how many, at most `fds_max`. */
	int (*descriptors)(int index, int *fds);
	int fds_max; /* set by begin */
	/* All workers are ready, for the first time; rights are dropped after it. 0 or -errno. */
	int (*ready)(void);
	/* Nothing can fail any more: says so. */
	void (*stands)(void);
	/* Another config is to be taken, and all workers could. 0; or -errno, logged: it is not. */
	int (*prepare)(const struct config *);
	/* It has been taken: borrowed until the next. */
	void (*reloaded)(const struct config *);
	/* Workers are gone. Comes also where begin or ready failed or did not come. */
	void (*end)(void);
};

struct workers_plan {
	const char *mode;			  /* "server", "local" or "up"; borrowed */
	int (*run)(const struct config *);	  /* what a worker does from its beginning to its end; gives its exit code */
	struct workers_hooks *hooks;		  /* or NULL */
};

/* How many the config asks for; "auto" is the processors that this process may use. */
int workers_wanted(const struct config *);

/* Runs workers_wanted() of them until SIGTERM or SIGINT. 0, or an
 * exit code with the reason logged. */
int workers_run(const struct config *, const struct workers_plan *);

#endif
