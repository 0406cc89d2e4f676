/* What workers.c (lives of workers) and workers_ask.c (what they are asked) share.
 * Nobody else includes it. */
#ifndef GATUN_SUPERVISOR_WORKERS_IMPL_H
#define GATUN_SUPERVISOR_WORKERS_IMPL_H

#include <stdbool.h>
#include <sys/types.h>

#include "engine/keeper.h"
#include "engine/worker_shared.h"
#include "loop/loop.h"
#include "supervisor/worker_sum.h"
#include "supervisor/workers.h"

enum slot_state { SLOT_IDLE, SLOT_STARTING, SLOT_READY };

struct slot {
	enum slot_state state;
	int index;
	pid_t pid;
	uint64_t born_ms;
	unsigned config_number; /* which config it began with, or was told of */
	bool prepared;	      /* it waits for the end of a reload */
	unsigned short_lives; /* one after another */
	int words, link;      /* our ends; -1 */
	struct loop_watch words_watch;
	struct loop_timer again;
	struct keeper keeper;
};

struct supervisor {
	const struct config *config; /* of lives to come */
	unsigned config_number;	     /* how often it was another one */
	const struct workers_plan *plan;
	struct worker_shared *shared;
	struct slot *slots;
	int n, exit_code;
	bool started; /* all have been ready once */
	bool stopping;
	struct worker_sum *sum;
	struct loop_signal term, interrupt, hangup, child;
	struct loop_timer kill_timer;
};

/* Takes in what a worker has said by now: what it says while it is asked would else
 * wait for the loop, and a port that all have left would look taken. */
void workers_hear(struct slot *);

/* The supervisor answers what an engine answers (status.h), and reloads, by way of
 * its workers. */
void workers_answer_requests(struct supervisor *);
void workers_answer_no_more(void);
/* A worker that is ready is told what it has missed: a reload meanwhile, the
 * manager's orders. */
void workers_brief(struct supervisor *, struct slot *);

#endif
