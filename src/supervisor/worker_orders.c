/* The supervisor's memory of the manager's orders, by port; see worker_orders.h. They hold
 * passwords: jansson wipes what it frees (conf/json_text.h). */
#include "supervisor/worker_orders.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "conf/json_text.h"

static json_t *adds, *removes; /* {"8001": request}; NULL: none yet */

static const json_t *port_in(const json_t *request, const char *name)
{
	const json_t *holder = strcmp(name, "manager_add") == 0 ? json_object_get(request, "port") : request;

	return json_object_get(holder, "server_port");
}

/* Ports come as numbers or in quotes. */
static void write_port(const json_t *port, char *out, size_t size)
{
	if (json_is_string(port))
		snprintf(out, size, "%s", json_string_value(port));
	else
		snprintf(out, size, "%lld", (long long)json_integer_value(port));
}

static void move(json_t **to, json_t *from, const char *port, const json_t *request)
{
	if (!*to)
		*to = json_object();
	json_object_set_new(*to, port, json_deep_copy(request));
	json_object_del(from, port);
}

void worker_orders_note(const json_t *request, const json_t *answer)
{
	const char *name = json_string_value(json_object_get(request, "request"));
	bool add = name && strcmp(name, "manager_add") == 0, remove = name && strcmp(name, "manager_remove") == 0;
	char port[32];

	if ((!add && !remove) || json_object_get(answer, "error"))
		return;
	json_wipe_memory();
	write_port(port_in(request, name), port, sizeof(port));
	if (add)
		move(&adds, removes, port, request);
	else
		move(&removes, adds, port, request); /* it may be the config's */
}

static void repeat(json_t *requests, void (*tell)(void *owner, const json_t *request), void *owner)
{
	const char *port;
	json_t *request;

	json_object_foreach(requests, port, request)
		tell(owner, request);
}

void worker_orders_repeat(void (*tell)(void *owner, const json_t *request), void *owner)
{
	repeat(removes, tell, owner);
	repeat(adds, tell, owner);
}

void worker_orders_reloaded(const struct config *c)
{
	char port[32];

	json_object_clear(removes);
	for (int i = 0; i < c->n_servers; i++) {
		snprintf(port, sizeof(port), "%u", target_port(&c->servers[i].address));
		json_object_del(adds, port);
	}
}

void worker_orders_forget(void)
{
	json_decref(adds);
	json_decref(removes);
	adds = removes = NULL;
}
