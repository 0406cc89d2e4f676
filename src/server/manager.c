/*
 * Orders in, answers out. Whoever reaches the socket commands the server, which is why
 * conf/manager.c keeps it off the network. Nothing but a known command is answered:
 * two managers that refuse each other's answers would do so for ever.
 */
#include "server/manager.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "engine/status.h"
#include "io/message_socket.h"
#include "proto/manager.h"
#include "server/managed.h"

static struct {
	struct message_socket *socket;
	bool trusted; /* a unix socket, mode 0600 */
} manager;

static void answer(const struct message_peer *to, const void *data, size_t len)
{
	int err = message_socket_answer(manager.socket, to, data, len);

	if (err)
		log_debug("an answer of the manager did not reach who asked err=%s", err_name(err));
}

/* ---- ports ---- */

static struct manager_port *read_ports(const json_t *ports, int *n)
{
	struct manager_port *out = calloc(json_array_size(ports) + 1, sizeof(*out));
	const json_t *entry;
	size_t i;

	*n = out ? (int)json_array_size(ports) : 0;
	json_array_foreach(ports, i, entry) {
		if (!out)
			break;
		out[i].port = (uint16_t)json_integer_value(json_object_get(entry, "port"));
		out[i].method = json_string_value(json_object_get(entry, "method"));
		out[i].bytes = (uint64_t)json_integer_value(json_object_get(entry, "bytes"));
	}
	return out;
}

static void answer_ports(const struct message_peer *to, enum manager_command command)
{
	json_t *request = json_pack("{s:s}", "request", "manager_ports"), *got = engine_request(request);
	int n, next = 0;
	struct manager_port *ports = read_ports(json_object_get(got, "ports"), &n);
	char *out = malloc(MANAGER_ANSWER_MAX);

	while (out && ports) {
		size_t len = command == MANAGER_LIST ? manager_write_list(ports, n, &next, out, MANAGER_ANSWER_MAX) :
						       manager_write_ping(ports, n, &next, out, MANAGER_ANSWER_MAX);

		answer(to, out, len);
		if (next == n)
			break;
	}
	free(out);
	free(ports);
	json_decref(got);
	json_decref(request);
}

/* ---- changes ---- */

static void answer_change(const struct message_peer *to, json_t *request)
{
	json_t *got = engine_request(request);
	const char *error = json_string_value(json_object_get(got, "error"));
	char text[300];
	int len = !error ? snprintf(text, sizeof(text), "ok") :
		  snprintf(text, sizeof(text), "%s%s", strcmp(error, MANAGED_TAKEN) == 0 ? "" : "err: ", error);

	answer(to, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
	json_decref(got);
	json_decref(request);
}

static void add(const struct message_peer *to, const struct manager_order *o)
{
	answer_change(to, json_pack("{s:s, s:b, s:O}", "request", "manager_add", "trusted", manager.trusted, "port", o->body));
}

static void remove_port(const struct message_peer *to, const struct manager_order *o)
{
	answer_change(to, json_pack("{s:s, s:i}", "request", "manager_remove", "server_port", o->port));
}

static void obey(const struct message_peer *to, const struct manager_order *o)
{
	switch (o->command) {
	case MANAGER_ADD:
		add(to, o);
		break;
	case MANAGER_REMOVE:
		remove_port(to, o);
		break;
	case MANAGER_LIST:
	case MANAGER_PING:
		answer_ports(to, o->command);
		break;
	case MANAGER_STAT: /* a server of somebody else's counts for its manager: we count ourselves */
		break;
	}
}

static void on_message(void *owner, const uint8_t *data, size_t len, const struct message_peer *from)
{
	static const char useless[] = "err: this wants a JSON object with \"server_port\"";
	struct manager_order order;
	int err = manager_read(data, len, &order);

	(void)owner;
	if (err == -ENOMSG)
		log_warn("the manager got what is no order of its protocol bytes=%zu", len);
	else if (err)
		answer(from, useless, sizeof(useless) - 1);
	else
		obey(from, &order);
	manager_order_free(&order);
}

/* ---- life ---- */

int manager_open(const struct config_manager *m)
{
	char where[ADDR_STRLEN];
	const char *name = m->path ? m->path : m->address ? addr_format(&m->listen, where) : "";
	int err = 0;

	if (!m->address)
		return 0;
	manager.trusted = m->path;
	manager.socket = m->path ? message_socket_unix(m->path, on_message, NULL, &err) :
				   message_socket_udp(&m->listen, on_message, NULL, &err);
	if (manager.socket)
		log_info("taking a manager's orders at %s", name);
	else
		log_error("cannot take a manager's orders at %s: %s err=%s", name,
			  err == EADDRINUSE ? "something is there already" : "the system said no", err_name(err));
	return -err;
}

void manager_forget(void)
{
	if (manager.socket)
		message_socket_forget(manager.socket);
	manager.socket = NULL;
}

void manager_close(void)
{
	if (manager.socket)
		message_socket_close(manager.socket);
	manager.socket = NULL;
}
