/*
 * A port by order is a server of a config like any other: what the order says is put
 * into a config of its own with what ports have in common, and read and checked by the
 * reader of config files. So an order can say what an entry of "servers" can, as far
 * as `allowed` lets it, and is refused in the same words.
 */
#include "server/managed.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "conf/load.h"
#include "engine/status.h"

static struct endpoints *endpoints;
static const struct config *common;

/* ---- from an order to a config ---- */

/* What a port may say of itself. The rest (fast_open, no_delay, ...) is the server's
 * business, and clients of the protocol send it to servers of all kinds. */
static const char *const allowed[] = { "server_port", "password", "method", "mode", "users", "limits" };
static const char *const for_trusted[] = { "plugin", "plugin_opts", "plugin_args", "plugin_mode" };

static void copy_keys(json_t *to, const json_t *from, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_t *v = json_object_get(from, keys[i]);

		if (v)
			json_object_set(to, keys[i], v);
	}
}

static void set_missing(json_t *o, const char *key, const char *text)
{
	if (text && !json_object_get(o, key))
		json_object_set_new(o, key, json_string(text));
}

static json_t *server_of(const json_t *port, bool trusted, const struct addr *host)
{
	static const char *const modes[] = { NULL, "tcp_only", "udp_only", "tcp_and_udp" };
	json_t *server = json_object();
	char ip[ADDR_STRLEN], *colon;

	copy_keys(server, port, allowed, sizeof(allowed) / sizeof(*allowed));
	if (trusted)
		copy_keys(server, port, for_trusted, sizeof(for_trusted) / sizeof(*for_trusted));
	addr_format(host, ip);
	colon = strrchr(ip, ':');
	*colon = 0;
	json_object_set_new(server, "server", json_string(ip));
	set_missing(server, "method", common->manager.method ? common->manager.method->name : NULL);
	set_missing(server, "mode", modes[common->manager.mode]);
	return server;
}

/* One server for each address that ports are opened on. */
static char *config_text(const json_t *port, bool trusted)
{
	json_t *servers = json_array(), *root = json_pack("{s:o}", "servers", servers);
	char *text;

	for (int i = 0; i < common->manager.n_hosts; i++)
		json_array_append_new(servers, server_of(port, trusted, &common->manager.hosts[i]));
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

static const char *first_error(const struct problems *p)
{
	for (int i = 0; i < p->n; i++)
		if (p->items[i].kind == PROBLEM_ERROR)
			return p->items[i].text;
	return "it cannot be read";
}

/* NULL, or the answer that says what is wrong; then *c is empty. */
static json_t *load(const json_t *port, bool trusted, struct config *c)
{
	char *text = config_text(port, trusted);
	struct loading l;
	json_t *wrong = NULL;

	load_begin(&l, c);
	c->acl = common->acl; /* borrowed: config_free() knows only texts of its own */
	if (!text || !load_text(&l, "order", text, strlen(text)) || !load_finish(&l, FOR_SERVER))
		wrong = engine_request_error("%s", first_error(&l.problems));
	for (int i = 0; i < c->n_servers && !json_object_get(port, "limits"); i++)
		c->servers[i].limits = common->limits;
	load_end(&l);
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	if (wrong)
		config_free(c);
	return wrong;
}

/* ---- the requests ---- */

static int open_all(const struct config *c)
{
	for (int i = 0; i < c->n_servers; i++) {
		int err = endpoints_add_managed(endpoints, &c->servers[i]);

		if (err) {
			endpoints_remove_port(endpoints, target_port(&c->servers[0].address));
			return err;
		}
	}
	return 0;
}

static json_t *answer_add(void *owner, const json_t *request)
{
	const json_t *port = json_object_get(request, "port");
	bool trusted = json_is_true(json_object_get(request, "trusted"));
	struct config c;
	json_t *wrong;
	int err;

	(void)owner;
	if (!trusted && json_string_length(json_object_get(port, "plugin")))
		return engine_request_error("a plugin is a program: who may only reach this socket may not start one; use a unix socket");
	wrong = load(port, trusted, &c);
	if (wrong)
		return wrong;
	endpoints_remove_port(endpoints, target_port(&c.servers[0].address));
	err = open_all(&c);
	config_free(&c);
	if (err == -EADDRINUSE)
		return engine_request_error(MANAGED_TAKEN);
	if (err)
		return engine_request_error("the port cannot be opened: %s", err == -EACCES ? "ports below 1024 need root, and only at the start" :
											    err_name(err));
	return json_pack("{s:b}", "opened", 1);
}

static json_t *answer_remove(void *owner, const json_t *request)
{
	json_int_t port = json_integer_value(json_object_get(request, "server_port"));
	int n = port > 0 && port < 65536 ? endpoints_remove_port(endpoints, (uint16_t)port) : 0;

	(void)owner;
	return json_pack("{s:i}", "closed", n);
}

/* The entry of this port, made if need be: a port may be open on several addresses. */
static json_t *entry_of(json_t *ports, const struct endpoint_view *v)
{
	json_t *entry;
	size_t i;

	json_array_foreach(ports, i, entry)
		if (json_integer_value(json_object_get(entry, "port")) == v->listen->port)
			return entry;
	entry = json_pack("{s:i, s:s, s:i}", "port", v->listen->port, "method", v->method->name, "bytes", 0);
	json_array_append_new(ports, entry);
	return entry;
}

static json_t *answer_ports(void *owner, const json_t *request)
{
	json_t *ports = json_array();

	(void)owner, (void)request;
	for (int i = 0, n = endpoints_count(endpoints); i < n; i++) {
		struct ss_user_counters sum;
		struct endpoint_view v;
		json_t *entry, *bytes;

		endpoints_view(endpoints, i, &v);
		ss_users_total(v.users, &sum);
		entry = entry_of(ports, &v);
		bytes = json_object_get(entry, "bytes");
		json_integer_set(bytes, json_integer_value(bytes) +
						(json_int_t)(sum.tcp_up + sum.tcp_down + sum.udp_up + sum.udp_down));
	}
	return json_pack("{s:o}", "ports", ports);
}

void managed_begin(struct endpoints *e, const struct config *c)
{
	endpoints = e;
	common = c;
	engine_request_add("manager_add", answer_add, NULL);
	engine_request_add("manager_remove", answer_remove, NULL);
	engine_request_add("manager_ports", answer_ports, NULL);
}

void managed_change(const struct config *c)
{
	common = c;
}
