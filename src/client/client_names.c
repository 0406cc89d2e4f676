/*
 * See client_names.h. The name servers nearby are this machine's, read past any
 * stub on loopback (resolve/system.h) and again when their files change; a machine
 * that has none is served by the "dns_upstream" of the config, asked past the
 * tunnel. They are reached by a direct outbound without lists, whose sockets carry
 * the config's mark.
 */
#include "client/client_names.h"

#include <errno.h>
#include <stdlib.h>

#include "client/outbounds.h"
#include "dns/dns.h"
#include "dns/near.h"
#include "engine/fake_names.h"
#include "inbound/dns_listener.h"
#include "loop/loop.h"
#include "outbound/direct.h"
#include "resolve/system.h"

#define LOOK_MS 1000
#define LISTENERS 2 /* IPv4, IPv6 */

static struct client_names {
	struct outbound *direct;
	struct dns_near *near;
	struct dns_listener *listeners[LISTENERS];
	int n_listeners;
	struct target *own;
	uint64_t seen_files, looked_ms;
} names;

static struct outbound *ending; /* the direct one, once all is closed */
static struct loop_work end_work;

struct target *client_names_own(const struct config *c, int *n)
{
	struct target *own = calloc(2 * (size_t)c->n_servers + 1, sizeof(*own));

	for (int i = 0; own && i < c->n_servers; i++) {
		own[2 * i] = c->servers[i].address;
		own[2 * i + 1] = *outbounds_first(&c->servers[i]);
	}
	*n = own ? 2 * c->n_servers : 0;
	return own;
}

/* ---- name servers nearby ---- */

static int find_servers(struct addr *out, const struct target *otherwise)
{
	int n = resolve_system_servers(out);

	if (n == 0 && otherwise && !target_is_name(otherwise))
		out[n++] = otherwise->ip;
	return n;
}

static void look_again(void *owner)
{
	struct client_names *cn = owner;
	struct addr servers[RESOLVE_SYSTEM_MAX];
	int n;

	if (loop_now() - cn->looked_ms < LOOK_MS)
		return;
	cn->looked_ms = loop_now();
	if (!resolve_system_changed(&cn->seen_files))
		return;
	n = find_servers(servers, NULL);
	if (n)
		dns_near_set(cn->near, servers, n);
}

static int open_near(const struct config *c)
{
	struct direct_options direct = { .allow_local = true, .rules = &c->outbound, .timeout_s = c->timeout };
	struct addr servers[RESOLVE_SYSTEM_MAX];
	int n;

	resolve_system_changed(&names.seen_files);
	n = find_servers(servers, &c->dns_upstream);
	names.direct = direct_new(&direct);
	names.near = names.direct && n ? dns_near_new(names.direct, servers, n) : NULL;
	if (!names.near)
		return -ENOMEM;
	dns_near_before_ask(names.near, look_again, &names);
	return 0;
}

/* ---- life ---- */

int client_names_open(const struct config *c, enum config_dns mode, const struct client_route *route, struct outbound *proxy)
{
	struct dns_options o = {
		.mode = mode,
		.upstream = c->dns_upstream,
		.outbound = proxy,
		.no_ipv6 = c->captured && c->up.no_ipv6,
	};
	int err = mode == DNS_FAKE || c->captured ? fake_names_open(c, false) : 0;

	if (!err && c->captured && mode != DNS_OFF) {
		err = open_near(c);
		o.own = names.own = client_names_own(c, &o.n_own);
		o.near = names.near;
		o.acl = client_route_acl(route);
		o.seen = fake_names_seen(); /* without a list too: a reload may bring one */
	}
	o.fakes = fake_names_map();
	return err ? err : dns_init(&o);
}

void client_names_change(const struct config *c, const struct client_route *route)
{
	struct target *own;
	int n;

	if (!names.near)
		return;
	direct_change(names.direct, true, &c->outbound, c->timeout);
	own = client_names_own(c, &n);
	dns_change(client_route_acl(route), own, n);
	free(names.own);
	names.own = own;
}

int client_names_listen(const struct addr *at, const struct inbound_events *events, void *owner)
{
	struct dns_listener_options o = { .listen = *at, .listen_udp = *at, .tcp = true, .udp = true, .service = dns_main_service() };
	struct dns_listener *l;
	int err = ENOSPC;

	l = names.n_listeners < LISTENERS ? dns_listener_new(&o, events, owner, &err) : NULL;
	if (!l)
		return -err;
	names.listeners[names.n_listeners++] = l;
	return 0;
}

static void free_direct(struct loop_work *w)
{
	(void)w;
	ending->ops->free(ending);
	ending = NULL;
}

void client_names_close(void)
{
	for (int i = 0; i < names.n_listeners; i++)
		dns_listener_free(names.listeners[i]);
	dns_free();
	fake_names_close();
	dns_near_free(names.near);
	free(names.own);
	ending = names.direct;
	if (ending)
		loop_defer(&end_work, free_direct); /* after what ended above and still belongs to it */
	names = (struct client_names){ 0 };
}
