/*
 * What a supervisor is asked, and asks its workers for: numbers are those of all,
 * added up; an order goes to the first worker, and to the others when that one
 * could do it. A worker begins with the config of its birth, so what came after
 * that is told when it is ready.
 *
 * Another config is had by all or by none:
 *
 *	prepare	each in turn, the first before the others (it finds out whether ports are free);
 *		whoever has prepared stands still until he hears the end
 *	apply	all of them, when all could
 *	withdraw	else, those that could; nothing has changed
 *
 * A worker that has died meanwhile has no say: its next life begins with what came of it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "engine/reload.h"
#include "engine/status.h"
#include "engine/status_flows.h"
#include "engine/worker_link.h"
#include "supervisor/worker_orders.h"
#include "supervisor/workers_impl.h"

#define RELOAD_MS 5000 /* a long ACL may have to be read, on a busy machine */

static struct supervisor *self; /* one per process: requests have no owner */

static void hear(void *owner)
{
	workers_hear(owner);
}

/* NULL, logged: it gives none. */
static json_t *ask_for(struct slot *s, const json_t *request, unsigned wait_ms)
{
	struct worker_talk talk = { .fd = s->words, .hear = hear, .owner = s, .wait_ms = wait_ms };
	json_t *answer = worker_link_ask(s->link, request, &talk);

	if (!answer)
		log_warn("worker %d gives no answer", s->index);
	return answer;
}

static json_t *ask(struct slot *s, const json_t *request)
{
	return ask_for(s, request, 0);
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

/* An answer, or NULL: it has died (its end has not been told yet), or does not answer. */
static json_t *order(struct slot *s, const char *name)
{
	json_t *request = json_pack("{s:s}", "request", name), *answer = ask_for(s, request, RELOAD_MS);

	json_decref(request);
	return answer;
}

/* Its end of the link is closed: it has died, or is about to. */
static bool has_hung_up(const struct slot *s)
{
	struct pollfd p = { .fd = s->link, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

/* False: it cannot, or says nothing although it lives. */
static bool prepare_worker(struct slot *s)
{
	json_t *answer = order(s, RELOAD_PREPARE);
	const char *error = json_string_value(json_object_get(answer, "error"));
	bool ok = answer ? !error : has_hung_up(s);

	if (error)
		log_error("%s", error);
	s->prepared = true; /* also where it did not answer yet: what it is told next it reads after this */
	json_decref(answer);
	return ok;
}

static void tell_prepared(const char *word)
{
	for (int i = 0; i < self->n; i++) {
		if (self->slots[i].prepared && self->slots[i].state == SLOT_READY)
			json_decref(order(&self->slots[i], word));
	}
	for (int i = 0; i < self->n; i++)
		workers_hear(&self->slots[i]);
}

static void take(const struct config *fresh)
{
	self->config = fresh;
	self->config_number++;
	for (int i = 0; i < self->n; i++)
		if (self->slots[i].prepared)
			self->slots[i].config_number = self->config_number;
	worker_orders_reloaded(fresh);
	if (self->plan->hooks)
		self->plan->hooks->reloaded(fresh);
}

static void withdraw(void *owner)
{
	(void)owner;
	tell_prepared(RELOAD_WITHDRAW);
}

/* Each worker reads the file for itself; the config here is that of lives to come. */
static int prepare(void *owner, const struct config *fresh)
{
	const struct workers_hooks *hooks = self->plan->hooks;
	int err = 0;

	for (int i = 0; i < self->n; i++)
		self->slots[i].prepared = false;
	for (int i = 0; i < self->n && !err; i++)
		if (self->slots[i].state == SLOT_READY && !prepare_worker(&self->slots[i]))
			err = -EINVAL;
	if (!err && hooks)
		err = hooks->prepare(fresh);
	if (err)
		withdraw(owner);
	return err;
}

static void apply(void *owner, const struct config *fresh)
{
	(void)owner;
	tell_prepared(RELOAD_APPLY);
	take(fresh);
	for (int i = 0; i < self->n; i++) /* who has become ready meanwhile */
		if (self->slots[i].state == SLOT_READY && self->slots[i].config_number != self->config_number)
			workers_brief(self, &self->slots[i]);
}

static const struct reload_steps steps = { .prepare = prepare, .apply = apply, .withdraw = withdraw };

/* ---- a new life ---- */

static void tell(void *owner, const json_t *request)
{
	json_decref(ask(owner, request));
}

/* One that cannot become what the others are is of no use: its next life begins as they are. */
static void catch_up(struct slot *s)
{
	json_t *answer = order(s, "reload");
	const char *error = json_string_value(json_object_get(answer, "error"));

	if (error) {
		log_error("worker %d cannot take the config that the others have, and begins again: %s", s->index, error);
		kill(s->pid, SIGTERM);
	}
	json_decref(answer);
}

void workers_brief(struct supervisor *u, struct slot *s)
{
	if (s->config_number != u->config_number) {
		catch_up(s);
		s->config_number = u->config_number;
	}
	worker_orders_repeat(tell, s);
}

/* ---- life ---- */

void workers_answer_requests(struct supervisor *u)
{
	self = u;
	engine_request_relay(answer_request);
	reload_begin(u->config, &steps, u, true);
}

void workers_answer_no_more(void)
{
	reload_end();
	engine_request_relay(NULL);
	worker_orders_forget();
}
