/*
 * What workers were told to open that no config names. A worker that is born again
 * begins with the config alone, so its supervisor tells it the rest.
 */
#ifndef GATUN_SUPERVISOR_WORKER_ORDERS_H
#define GATUN_SUPERVISOR_WORKER_ORDERS_H

#include <jansson.h>

#include "conf/config.h"

/* After all workers have answered a request: remembers a port that was added, forgets one
 * that was removed. Other requests, and those that were refused, change nothing. */
void worker_orders_note(const json_t *request, const json_t *answer);
/* Every request that a new worker must hear. */
void worker_orders_repeat(void (*tell)(void *owner, const json_t *request), void *owner);
/* A reload has made the config's ports again what it says. */
void worker_orders_reloaded(const struct config *);
void worker_orders_forget(void);

#endif
