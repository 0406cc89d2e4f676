/* The outbound through a proxy: its life, and its dials. The handshake is
 * proxy_dial.c's, UDP proxy_port.c's. A stream that stands is the connection to
 * the proxy itself and knows nothing of us any more. */
#include "outbound/proxy.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cells.h"
#include "outbound/proxy_impl.h"

struct dial {
	struct proxy_dial proxy;
	struct loop_work free_work;
	const struct dial_events *events;
	void *owner;
};

static struct proxy *of(struct outbound *o)
{
	return container_of(o, struct proxy, outbound);
}

/* ---- life ---- */

static void wipe_text(char *text)
{
	if (text)
		sodium_memzero(text, strlen(text));
	free(text);
}

static void free_now(struct loop_work *w)
{
	struct proxy *p = container_of(w, struct proxy, uses.work);

	if (p->via)
		p->via->ops->free(p->via);
	wipe_text(p->user);
	wipe_text(p->password);
	free((char *)(uintptr_t)p->outbound.name);
	free(p);
}

void proxy_release(struct proxy *p)
{
	outbound_release(&p->uses, free_now);
}

static void proxy_free(struct outbound *o)
{
	outbound_leave(&of(o)->uses, free_now);
}

/* ---- dials ---- */

static void free_dial(struct loop_work *w)
{
	cell_free(container_of(w, struct dial, free_work));
}

static void done(struct dial *d)
{
	loop_defer(&d->free_work, free_dial);
	proxy_release(d->proxy.proxy);
}

static void on_opened(void *owner, struct stream *s, const struct target *bound)
{
	struct dial *d = owner;

	(void)bound;
	done(d);
	d->events->opened(d->owner, s);
}

static void on_failed(void *owner, enum flow_end why)
{
	struct dial *d = owner;

	done(d);
	d->events->failed(d->owner, why);
}

static const struct proxy_dial_events dial_events = { on_opened, on_failed };

static struct dial *proxy_connect(struct outbound *o, const struct target *t, const struct dial_events *events, void *owner)
{
	struct dial *d = cell_new(sizeof(*d));

	if (!d)
		return NULL;
	outbound_use(&of(o)->uses);
	d->events = events;
	d->owner = owner;
	proxy_dial_start(&d->proxy, of(o), SOCKS_CONNECT, t, &dial_events, d);
	return d;
}

static void proxy_cancel(struct dial *d)
{
	proxy_dial_cancel(&d->proxy);
	done(d);
}

static struct datagram_port *proxy_port(struct outbound *o)
{
	struct proxy *p = of(o);
	struct datagram_port *port = p->http ? NULL : proxy_port_new(p);

	if (port)
		outbound_use(&p->uses);
	return port;
}

static const struct outbound_ops proxy_ops = {
	.connect = proxy_connect,
	.cancel = proxy_cancel,
	.port = proxy_port,
	.free = proxy_free,
};

static char *name_of(const struct proxy_options *o)
{
	char address[TARGET_STRLEN], *name = NULL;

	return asprintf(&name, "%s://%s", o->http ? "http" : "socks5", target_format(&o->address, address)) < 0 ? NULL : name;
}

struct outbound *proxy_new(const struct proxy_options *o)
{
	struct proxy *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->outbound.ops = &proxy_ops;
	p->outbound.name = name_of(o);
	p->http = o->http;
	p->address = o->address;
	if (o->rules)
		p->rules = *o->rules;
	/* Killed in the middle of an upload, we must not make it look complete. */
	p->dial.socket.reset_on_death = true;
	p->dial.socket.keepalive = true;
	p->dial.follow = true;
	p->dial.socket.rules = &p->rules;
	p->dial.limit_ms = o->timeout_s * 1000;
	p->user = o->user ? strdup(o->user) : NULL;
	p->password = o->user ? strdup(o->password ? o->password : "") : NULL;
	if (!p->outbound.name || (o->user && (!p->user || !p->password))) {
		proxy_free(&p->outbound);
		return NULL;
	}
	p->via = o->via;
	return &p->outbound;
}
