/*
 * See local_dns.h. The near resolver is reached by a direct outbound without
 * lists: the config names it, so it is allowed wherever it is.
 */
#include "client/local_dns.h"

#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "client/client_names.h"
#include "dns/chooser.h"
#include "inbound/dns_listener.h"
#include "loop/loop.h"
#include "outbound/direct.h"

struct local_dns {
	struct outbound *direct;
	struct dns_upstream *far;
	struct dns_near *near;
	struct dns_service *service;
	struct dns_listener *listener;
	struct loop_work free_work;
	struct target *own; /* the tunnel's servers, and what is dialled before them: never asked through it */
};

static bool open_service(struct local_dns *d, const struct config *c, const struct config_local *l, const struct client_route *route,
			 struct outbound *proxy)
{
	struct direct_options direct = { .allow_local = true, .rules = &c->outbound, .timeout_s = c->timeout };
	struct dns_chooser_options o = { .mode = DNS_UPSTREAM, .acl = client_route_acl(route) };

	o.own = d->own = client_names_own(c, &o.n_own);
	o.far = d->far = dns_upstream_new(proxy, &l->remote_dns);
	d->direct = direct_new(&direct);
	if (!d->own || !d->far || !d->direct)
		return false;
	o.near = d->near = dns_near_new(d->direct, &l->local_dns, 1);
	if (!d->near)
		return false;
	d->service = dns_chooser_new(&o);
	return d->service;
}

struct local_dns *local_dns_new(const struct config *c, const struct config_local *l, const struct client_route *route,
				struct outbound *proxy, const struct inbound_events *events, void *owner, int *err)
{
	struct local_dns *d = calloc(1, sizeof(*d));
	struct dns_listener_options o = {
		.listen = l->listen,
		.listen_udp = l->listen_udp,
		.tcp = l->mode & MODE_TCP_ONLY,
		.udp = l->mode & MODE_UDP_ONLY,
	};

	*err = ENOMEM;
	if (!d)
		return NULL;
	if (open_service(d, c, l, route, proxy)) {
		o.service = d->service;
		d->listener = dns_listener_new(&o, events, owner, err);
	}
	if (d->listener)
		return d;
	local_dns_free(d);
	return NULL;
}

void local_dns_change(struct local_dns *d, const struct config *c, const struct client_route *route)
{
	int n;
	struct target *own = client_names_own(c, &n);

	direct_change(d->direct, true, &c->outbound, c->timeout);
	dns_chooser_change(d->service, client_route_acl(route), own, n);
	free(d->own);
	d->own = own;
}

static void free_rest(struct loop_work *w)
{
	struct local_dns *d = container_of(w, struct local_dns, free_work);

	if (d->direct)
		d->direct->ops->free(d->direct);
	free(d->own);
	free(d);
}

void local_dns_free(struct local_dns *d)
{
	if (!d)
		return;
	if (d->listener)
		dns_listener_free(d->listener);
	if (d->service)
		dns_service_end(d->service);
	dns_chooser_free(d->service);
	dns_upstream_free(d->far);
	dns_near_free(d->near);
	loop_defer(&d->free_work, free_rest); /* after what ended above and still belongs to the outbound */
}
