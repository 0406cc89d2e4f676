/*
 * The manager's keys. Its protocol knows no password, so it listens on loopback or
 * on a unix socket unless somebody says that he means it.
 */
#include "conf/manager.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "base/array.h"
#include "base/log.h"

#define SHOWN 80

static void add_host(struct config_manager *m, const struct addr *host)
{
	m->hosts = array_grow_or_die(m->hosts, m->n_hosts, sizeof(*m->hosts));
	m->hosts[m->n_hosts] = *host;
	m->hosts[m->n_hosts++].port = 0;
}

static void take_host(const struct server_spec *s, struct config_manager *m, struct problems *p)
{
	char shown[SHOWN];
	struct addr host;

	if (!s->host.text)
		return;
	if (addr_parse_ip(s->host.text, 0, &host) == 0)
		add_host(m, &host);
	else
		problem_add(p, PROBLEM_ERROR, s->host.at, "ports are opened on an IP address of this machine, not on \"%s\"",
			    log_escape(s->host.text, strlen(s->host.text), shown, sizeof(shown)));
}

static void take_method(const struct server_spec *s, struct config_manager *m, struct problems *p)
{
	if (!s->method.text)
		return;
	m->method = ss_method_find(s->method.text);
	if (!m->method)
		problem_add(p, PROBLEM_ERROR, s->method.at, "unknown method (`gatun ciphers` lists those that are known)");
}

void manager_take_defaults(struct spec_list *specs, struct config *c, struct problems *p)
{
	int n = 0;

	for (int i = 0; i < specs->n; i++) {
		struct server_spec *s = &specs->items[i];

		if (s->port.number || s->port.at || s->disabled.number) {
			specs->items[n++] = *s;
			continue;
		}
		take_host(s, &c->manager, p);
		take_method(s, &c->manager, p);
		if (s->mode.number)
			c->manager.mode = (enum config_mode)s->mode.number;
		spec_free(s);
	}
	specs->n = n;
}

static bool is_loopback(const struct addr *a)
{
	return a->family == AF_INET ? a->ip.bytes[0] == 127 : IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)(const void *)a->ip.bytes);
}

/* ADDR:PORT, or ADDR beside manager_port. */
static bool parse_listen(const struct config_manager *m, struct addr *out)
{
	struct target t = { 0 };

	if ((m->port ? target_set(&t, m->address, strlen(m->address), (uint16_t)m->port) : target_parse(m->address, &t)) != 0)
		return false;
	if (target_is_name(&t) && strcmp(t.name, "localhost") == 0)
		return addr_parse_ip("127.0.0.1", target_port(&t), out) == 0;
	*out = t.ip;
	return !target_is_name(&t);
}

static void check_address(struct config_manager *m, struct problems *p)
{
	char shown[SHOWN];

	if (strchr(m->address, '/')) {
		if (strlen(m->address) >= sizeof(((struct sockaddr_un *)0)->sun_path))
			problem_add(p, PROBLEM_ERROR, 0, "the manager's path is too long for a unix socket");
		m->path = m->address;
	} else if (!parse_listen(m, &m->listen)) {
		problem_add(p, PROBLEM_ERROR, 0, "the manager wants ADDR:PORT, or a path with a slash in it, not \"%s\"",
			    log_escape(m->address, strlen(m->address), shown, sizeof(shown)));
	} else if (!is_loopback(&m->listen) && !m->allow_remote) {
		problem_add(p, PROBLEM_ERROR, 0,
			    "the manager at \"%s\" could be reached from other machines, and its protocol has no password: use 127.0.0.1 or a "
			    "unix socket, or mean it (\"manager_allow_remote\": true)",
			    log_escape(m->address, strlen(m->address), shown, sizeof(shown)));
	}
}

void manager_check(struct config *c, struct problems *p)
{
	struct config_manager *m = &c->manager;
	static const struct addr everywhere = { .family = AF_INET };

	if (!m->address) {
		if (m->port)
			problem_add(p, PROBLEM_WARNING, 0, "\"manager_port\" without \"manager_address\" has no effect");
		return;
	}
	check_address(m, p);
	if (!m->n_hosts && c->n_servers && !target_is_name(&c->servers[0].address))
		add_host(m, &c->servers[0].address.ip);
	if (!m->n_hosts)
		add_host(m, &everywhere);
	if (!m->method && c->n_servers)
		m->method = c->servers[0].method;
	if (!m->mode)
		m->mode = c->n_servers ? c->servers[0].mode : MODE_TCP_AND_UDP;
}
