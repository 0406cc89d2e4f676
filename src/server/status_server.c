/* The parts of a server: its ports, and the users of those that have any. */
#include "server/status_server.h"

#include "engine/status.h"

/* In the names of flow/counters.c. */
static void put_traffic(json_t *to, const struct ss_user_counters *c)
{
	json_t *tcp = json_object(), *udp = json_object();

	status_put(tcp, "flows_opened", c->tcp_flows);
	status_put(tcp, "bytes_up", c->tcp_up);
	status_put(tcp, "bytes_down", c->tcp_down);
	status_put(udp, "sessions_opened", c->udp_sessions);
	status_put(udp, "packets_up", c->datagrams_up);
	status_put(udp, "packets_down", c->datagrams_down);
	status_put(udp, "bytes_up", c->udp_up);
	status_put(udp, "bytes_down", c->udp_down);
	json_object_set_new(to, "tcp", tcp);
	json_object_set_new(to, "udp", udp);
}

static json_t *describe_port(const struct endpoint_view *e)
{
	struct ss_user_counters total;
	char where[ADDR_STRLEN];
	json_t *port = json_object();

	ss_users_total(e->users, &total);
	json_object_set_new(port, "port", json_string(addr_format(e->listen, where)));
	json_object_set_new(port, "method", json_string(e->method->name));
	json_object_set_new(port, "mode", json_string(config_mode_name(e->mode)));
	status_put(port, "users", ss_users_anyone(e->users) ? 0 : (uint64_t)ss_users_count(e->users));
	put_traffic(port, &total);
	return port;
}

static json_t *describe_ports(void *owner)
{
	json_t *ports = json_array();
	struct endpoint_view e;

	for (int i = 0; i < endpoints_count(owner); i++) {
		endpoints_view(owner, i, &e);
		json_array_append_new(ports, describe_port(&e));
	}
	return ports;
}

/* A port that lets in whoever has its key has no users: its numbers are the port's. */
static void append_users(json_t *users, const struct endpoint_view *e)
{
	char where[ADDR_STRLEN];

	addr_format(e->listen, where);
	for (int i = 0; i < ss_users_count(e->users); i++) {
		const struct ss_user *u = ss_users_at(e->users, i);
		json_t *user;

		if (!*u->name)
			continue;
		user = json_object();
		json_object_set_new(user, "port", json_string(where));
		json_object_set_new(user, "name", json_string(u->name));
		put_traffic(user, &u->counters);
		json_array_append_new(users, user);
	}
}

static json_t *describe_users(void *owner)
{
	json_t *users = json_array();
	struct endpoint_view e;

	for (int i = 0; i < endpoints_count(owner); i++) {
		endpoints_view(owner, i, &e);
		append_users(users, &e);
	}
	return users;
}

void server_status_add_endpoints(struct endpoints *e)
{
	engine_status_add("ports", describe_ports, e);
	engine_status_add("users", describe_users, e);
}
