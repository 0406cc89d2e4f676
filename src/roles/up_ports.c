/*
 * Where workers listen for what the kernel's rules redirect; see up_impl.h. One
 * number serves both families and both protocols, since one rule names it. It is
 * looked for by opening and closing it: the first worker opens it for good, and
 * says so if somebody came between.
 */
#include <errno.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "roles/up_impl.h"

#define TRIES 64

/* The bound port, or -errno. */
static int try_bind(const struct addr *at, int type)
{
	int fd = socket(at->family, type | SOCK_CLOEXEC, 0), port;
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(at, &ss);

	if (fd < 0)
		return -errno;
	port = bind(fd, (struct sockaddr *)&ss, len) < 0 ? -errno : addr_of_socket(fd).port;
	close(fd);
	return port;
}

static bool is_free(const struct addr *hosts, int n, uint16_t port)
{
	for (int i = 0; i < n; i++) {
		struct addr at = hosts[i];

		at.port = port;
		if (try_bind(&at, SOCK_STREAM) < 0 || try_bind(&at, SOCK_DGRAM) < 0)
			return false;
	}
	return true;
}

static int choose(const struct addr *hosts, int n, uint16_t other, uint16_t *out)
{
	for (int i = 0; i < TRIES; i++) {
		int port = try_bind(&hosts[0], SOCK_STREAM);

		if (port < 0)
			return port;
		if (port != other && is_free(hosts, n, (uint16_t)port)) {
			*out = (uint16_t)port;
			return 0;
		}
	}
	return -EADDRINUSE;
}

static bool has_ipv6(void)
{
	struct addr at;

	addr_parse_ip("::1", 0, &at);
	return try_bind(&at, SOCK_STREAM) >= 0;
}

/* NAT gives the connections of a LAN to the address of the interface they came by. */
static int hosts_of(const struct gate_plan *g, struct addr hosts[NEAR_PORTS_MAX])
{
	bool all = g->mode == GATE_REDIRECT && g->n_lans;
	int n = 1;

	addr_parse_ip(all ? "0.0.0.0" : "127.0.0.1", 0, &hosts[0]);
	if (g->ipv6 && has_ipv6())
		addr_parse_ip(all ? "::" : "::1", 0, &hosts[n++]);
	return n;
}

int up_ports_choose(struct gate_plan *g, struct near_options *o)
{
	struct addr hosts[NEAR_PORTS_MAX];
	bool dns = g->mode == GATE_REDIRECT && g->dns;
	int err = 0;

	o->kind = g->mode == GATE_TPROXY ? NEAR_TPROXY : NEAR_REDIRECT;
	o->n_listen = hosts_of(g, hosts);
	if (!g->port)
		err = choose(hosts, o->n_listen, g->dns_port, &g->port);
	if (!err && dns && !g->dns_port)
		err = choose(hosts, o->n_listen, g->port, &g->dns_port);
	if (err) {
		log_error("no free port can be had err=%s", err_name(err));
		return err;
	}
	if (!dns)
		g->dns_port = 0;
	for (int i = 0; i < o->n_listen; i++) {
		o->listen[i] = hosts[i];
		o->listen[i].port = g->port;
		o->listen_dns[i] = dns ? hosts[i] : (struct addr){ 0 };
		o->listen_dns[i].port = g->dns_port;
	}
	return 0;
}
