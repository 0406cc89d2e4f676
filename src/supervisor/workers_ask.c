/*
 * What a supervisor is asked, and asks its workers for: numbers are those of all,
 * added up; an order goes to the first worker, and to the others when that one
 * could do it. A worker begins with the config of its birth, so what came after
 * that is told when it is ready.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "engine/reload.h"
#include "engine/status.h"
#include "engine/status_flows.h"
#include "engine/worker_link.h"
#include "supervisor/worker_orders.h"
#include "supervisor/workers_impl.h"

static struct supervisor *self; /* one per process: requests have no owner */

static void hear(void *owner)
{
	workers_hear(owner);
}

/* NULL, logged: it gives none. */
static json_t *ask(struct slot *s, const json_t *request)
{
	struct worker_talk talk = { .fd = s->words, .hear = hear, .owner = s };
	json_t *answer = worker_link_ask(s->link, request, &talk);

	if (!answer)
		log_warn("worker %d gives no answer", s->index);
	return answer;
}

/* Adds the documents of all to `sum`. */
static json_t *add_answers(json_t *sum, const json_t *request)
{
	for (int i = 0; i < self->n; i++) {
		json_t *more = self->slots[i].state == SLOT_READY ? ask(&self->slots[i], request) : NULL;

		if (more)
			engine_status_add_up(sum, more);
		json_decref(more);
	}
	return sum;
}

/* The supervisor has the numbers of workers that have ended, and is none itself. */
static json_t *sum_status(const json_t *request)
{
	json_t *sum = engine_status_document();

	json_object_del(sum, "workers");
	return add_answers(sum, request);
}

/* The first that says no is the answer, and those after it are not asked. One that
 * says nothing has died, and its next life hears of it, or is slow, and will read it. */
static json_t *order_all(const json_t *request)
{
	json_t *answer = NULL;

	for (int i = 0; i < self->n; i++) {
		json_t *more = self->slots[i].state == SLOT_READY ? ask(&self->slots[i], request) : NULL;

		if (!more)
			continue;
		json_decref(answer);
		answer = more;
		if (json_object_get(answer, "error"))
			break;
	}
	for (int i = 0; i < self->n; i++)
		workers_hear(&self->slots[i]);
	return answer ? answer : engine_request_error("no worker is there to answer");
}

static json_t *list_flows(const json_t *request)
{
	json_t *sum = json_pack("{s:i,s:i,s:[]}", "pid", (int)getpid(), "count", 0, "flows");

	for (int i = 0; i < self->n; i++) {
		json_t *more = self->slots[i].state == SLOT_READY ? ask(&self->slots[i], request) : NULL;

		if (more)
			status_flows_merge(sum, request, more);
		json_decref(more);
	}
	return sum;
}

/* Its number tells whose it is (flow_cards_number()). */
static json_t *kill_flow(const json_t *request)
{
	json_int_t number = json_integer_value(json_object_get(request, "flow"));
	struct slot *s = &self->slots[number > 0 ? number % self->n : 0];
	json_t *answer = s->state == SLOT_READY ? ask(s, request) : NULL;

	return answer ? answer : engine_request_error("there is no flow %lld now", (long long)number);
}

static json_t *answer_request(const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "request"));
	json_t *answer;

	if (name && strcmp(name, "status") == 0)
		return sum_status(request);
	if (name && strcmp(name, "flows") == 0)
		return list_flows(request);
	if (name && strcmp(name, "kill_flow") == 0)
		return kill_flow(request);
	if (name && (strcmp(name, "manager_ports") == 0 || strcmp(name, "flush") == 0))
		return add_answers(json_object(), request);
	if (name && strcmp(name, "reload") == 0)
		return reload_request();
	answer = order_all(request);
	worker_orders_note(request, answer);
	return answer;
}

/* ---- another config ---- */

static json_t *reload_order(void)
{
	return json_pack("{s:s}", "request", "reload");
}

static void take(const struct config *fresh)
{
	self->config = fresh;
	self->config_number++;
	for (int i = 0; i < self->n; i++)
		if (self->slots[i].state == SLOT_READY)
			self->slots[i].config_number = self->config_number;
	worker_orders_reloaded(fresh);
	if (self->plan->hooks)
		self->plan->hooks->reloaded(fresh);
}

/* Each worker reads the file for itself; the config here is that of lives to come. */
static int update(void *owner, const struct config *fresh)
{
	json_t *request = reload_order(), *answer = order_all(request);
	const char *error = json_string_value(json_object_get(answer, "error"));
	int err = error ? -EINVAL : 0;

	(void)owner;
	if (error)
		log_error("%s", error);
	else
		take(fresh);
	json_decref(answer);
	json_decref(request);
	return err;
}

/* ---- a new life ---- */

static void tell(void *owner, const json_t *request)
{
	json_decref(ask(owner, request));
}

void workers_brief(struct supervisor *u, struct slot *s)
{
	if (s->config_number != u->config_number) {
		json_t *request = reload_order();

		tell(s, request);
		json_decref(request);
		s->config_number = u->config_number;
	}
	worker_orders_repeat(tell, s);
}

/* ---- life ---- */

void workers_answer_requests(struct supervisor *u)
{
	self = u;
	engine_request_relay(answer_request);
	reload_begin(u->config, update, u, true);
}

void workers_answer_no_more(void)
{
	reload_end();
	engine_request_relay(NULL);
	worker_orders_forget();
}
