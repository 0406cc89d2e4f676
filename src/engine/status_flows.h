/*
 * The flows of this process, one by one: the requests
 *
 *	flows	  {"limit": N, "sort": "rate"|"bytes"|"age"}	the first N of them
 *	kill_flow {"flow": N}					ends it: the app sees a reset
 *	flush							forgets names, what nobody uses
 *
 * and what a supervisor needs to make one answer of its workers'. docs/status.md
 * describes them. A list is made when it is asked for; nothing is kept.
 */
#ifndef GATUN_ENGINE_STATUS_FLOWS_H
#define GATUN_ENGINE_STATUS_FLOWS_H

#include <jansson.h>

#define STATUS_FLOWS_DEFAULT 100 /* of "limit" */
#define STATUS_FLOWS_MAX 10000

void engine_status_add_flows(void);

/* Adds a worker's answer to `sum` (an object, empty at first): in order, and no more
 * of them than `request` asks for. */
void status_flows_merge(json_t *sum, const json_t *request, json_t *more);

#endif
