/*
 * What workers leave behind, added up: their counters, which become the
 * supervisor's own, and those of their users by name.
 */
#ifndef GATUN_SUPERVISOR_WORKER_SUM_H
#define GATUN_SUPERVISOR_WORKER_SUM_H

#include "engine/worker_shared.h"
#include "proto/ss_users.h"

/* A worker has ended: what it counted moves to this process's page, but not what
 * was active then. */
void worker_sum_take(struct worker_shared *, int index);

struct worker_sum;
struct worker_sum *worker_sum_new(void); /* NULL: no memory */
void worker_sum_free(struct worker_sum *);
void worker_sum_add_user(struct worker_sum *, const char *where, const char *name, const struct ss_user_counters *);
/* One line for each. */
void worker_sum_log_users(const struct worker_sum *);

#endif
