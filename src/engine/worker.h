/*
 * Being a worker: one of several processes that serve the same ports, each with
 * a loop and flows of its own, under a supervisor (workers.h). An engine calls
 * these at the places that matter; in a process that is no worker they do
 * nothing, and there are no others.
 */
#ifndef GATUN_ENGINE_WORKER_H
#define GATUN_ENGINE_WORKER_H

#include <stdbool.h>

#include "engine/keeper.h"
#include "engine/worker_shared.h"
#include "proto/ss_users.h"

struct worker_life {
	int index;		/* 0 .. */
	bool first;		/* the first life of all: it looks whether the ports are free, and speaks of them */
	int words, link;	/* to the supervisor: worker_words.h, worker_link.h */
	struct keeper *keeper;	/* what earlier lives had open */
	struct worker_shared *shared;
};

/* In the new process, before the engine starts; borrowed for its life. */
void worker_begin(struct worker_life *);
bool worker_is(void);
/* 0 where there are no workers. */
int worker_index(void);
/* What the workers have in common, or NULL: there are no workers. */
struct worker_shared *worker_shared(void);

/* Everything is open. Fails, the reason logged, only without memory. */
int worker_ready(void);
/* The loop has ended: what is closed from now on is kept for the next life. */
void worker_ending(void);

/* True: the supervisor has been told, and will say it with the sum of all. */
bool worker_report_counters(void);
bool worker_report_user(const char *where, const char *name, const struct ss_user_counters *);

#endif
