/*
 * The TUN's MTU for a client: what fits the path to its servers without outer
 * fragmentation. The path is asked of the kernel as our own sockets would take
 * it, so with their rules; what the kernel does not know, io/path.h may.
 *
 * A server that has only a name is looked up where the caller allows it, which
 * blocks. `up` does not: names may be out of reach while an earlier gate stands,
 * so there the path is the one that whatever is out there is reached by.
 */
#include <limits.h>
#include <netdb.h>

#include "client/outbounds.h"
#include "client/tun_mtu.h"
#include "io/path.h"
#include "resolve/resolve.h"
#include "sys/uplink.h"

#define TUN_MTU_MIN 1280 /* below it IPv6 vanishes from the device */
#define MTU_USUAL 1500
#define FAMILY_EXTRA 20 /* an IPv4 packet inside grows into an IPv6 one outside */

static int path_mtu(const struct addr *at, const struct socket_rules *rules)
{
	int mtu = sys_uplink_mtu(at, rules), limit = path_limit(at);

	if (mtu <= 0)
		return mtu;
	mtu = limit && limit < mtu ? limit : mtu;
	return at->family == AF_INET6 ? mtu - FAMILY_EXTRA : mtu;
}

/* Whatever is out there, by either family. */
static int any_mtu(const struct socket_rules *rules)
{
	static const char *const somebody[] = { "192.0.2.1", "2001:db8::1" };
	int least = MTU_USUAL;

	for (int i = 0; i < 2; i++) {
		struct addr at;
		int mtu;

		addr_parse_ip(somebody[i], 0, &at);
		mtu = path_mtu(&at, rules);
		if (mtu > 0 && mtu < least)
			least = mtu;
	}
	return least;
}

static bool look_up(const struct target *t, struct addr *out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *found;

	if (getaddrinfo(t->name, NULL, &hints, &found) != 0)
		return false;
	*out = addr_from_sockaddr(found->ai_addr);
	out->port = target_port(t);
	freeaddrinfo(found);
	return true;
}

/* As connections of this process have found it. */
static bool remember(const struct target *t, struct addr *out)
{
	struct resolved r;

	if (!resolve_cached(t->name, t->name_len, &r) || !r.n)
		return false;
	*out = r.addrs[0];
	out->port = target_port(t);
	return true;
}

/* What fits the path to one server, or to its first hop; find: of a name, or NULL. */
static int server_mtu(const struct config_server *s, bool (*find)(const struct target *, struct addr *))
{
	const struct target *first = outbounds_first(s);
	struct addr at = first->ip;
	bool known = !target_is_name(first) || (find && find(first, &at));
	int mtu = known ? path_mtu(&at, &s->outbound) : any_mtu(&s->outbound);

	return (mtu > 0 ? mtu : MTU_USUAL) - (int)outbounds_udp_overhead_of(s);
}

int tun_mtu_of(const struct config *config, bool may_ask)
{
	int least = INT_MAX;

	if (config->mtu)
		return config->mtu;
	/* Of several servers only the first is asked for by name: each might take seconds. */
	for (int i = 0; i < config->n_servers; i++) {
		int mtu = server_mtu(&config->servers[i], may_ask && i == 0 ? look_up : NULL);

		least = mtu < least ? mtu : least;
	}
	return least < TUN_MTU_MIN ? TUN_MTU_MIN : least;
}

int tun_mtu_of_path(const struct config *config)
{
	int least = INT_MAX;

	for (int i = 0; i < config->n_servers; i++) {
		const struct config_server *s = &config->servers[i];
		int mtu = s->udp_over_tcp == UDP_OVER_TCP_YES ? INT_MAX : server_mtu(s, remember);

		least = mtu < least ? mtu : least;
	}
	return least;
}
