/*
 * The life of an engine, which is the same in every role:
 *
 *	start ──► open ──► rights dropped, plugins there ──► stands ──► the loop ──► close ──► end
 *
 * What is opened is the role's; when, with which rights, and what follows when a step
 * fails, is written here once.
 */
#ifndef GATUN_ROLES_LIFE_H
#define GATUN_ROLES_LIFE_H

#include <stdbool.h>

#include "conf/config.h"
#include "engine/reload.h"

struct life {
	const char *mode; /* in the status document */
	bool signals;	  /* SIGINT and SIGTERM end it, SIGHUP reloads; else they are the command's */
	/* Opens everything, with all rights. 0, or -errno with the reason logged. */
	int (*open)(void *owner, const struct config *);
	/* Nothing can fail any more but this, or NULL. 0, or -errno with the reason logged. */
	int (*stands)(void *owner);
	/* How it becomes another config, */
	const struct reload_steps *steps;
	void *(*core)(void *owner); /* and who does; NULL: the owner */
	/* Comes also after an open that failed. */
	void (*close)(void *owner);
};

/* From the beginning to the end. 0, or -errno with the reason logged. */
int life_run(const struct life *, void *owner, const struct config *);

#endif
