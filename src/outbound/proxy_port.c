/*
 * UDP through a SOCKS5 proxy: one UDP ASSOCIATE per port. The control connection
 * is made with the first datagram, which waits for it, bounded; it lives as long
 * as the port, and when it breaks the next datagram makes a new one, at most one
 * a second. Datagrams go to the relay that the proxy names, each behind a header
 * with its target; a proxy that names no address means its own. What comes from
 * elsewhere than the relay, and fragments, is dropped and counted.
 */
#include <stdlib.h>
#include <string.h>

#include "io/datagram_counters.h"
#include "outbound/direct_udp.h"
#include "outbound/proxy_impl.h"
#include "outbound/udp_waiting.h"

#define RETRY_MS 1000

struct proxy_port {
	struct datagram_port port;
	struct proxy *proxy;
	struct proxy_dial dial;
	bool dialing, ended;
	struct stream *control;
	struct datagram_port *under; /* while the association stands */
	struct target relay;
	uint64_t tried_ms; /* 0 = never */
	struct list waiting;
	struct udp_waiting_budget budget;
	struct loop_work free_work;
};

/* ---- datagrams ---- */

static void send_one(struct proxy_port *p, const struct target *remote, const uint8_t *payload, uint32_t len)
{
	struct buf *b = buf_get(SOCKS_UDP_HEADER_MAX + len);
	struct datagram d = { .remote = &p->relay };
	uint32_t header;

	if (!b) {
		datagram_counters.dropped_queue++;
		return;
	}
	header = (uint32_t)socks_write_datagram_header(b->data, remote);
	memcpy(b->data + header, payload, len);
	d.payload = (struct slice){ b, 0, header + len };
	datagram_send(p->under, &d, 1);
	buf_unref(b);
}

static void send_all(struct proxy_port *p, const struct datagram *d)
{
	const uint8_t *at = slice_data(&d->payload);
	uint32_t rest = d->payload.len, size = d->segment ? d->segment : rest;

	do {
		uint32_t len = rest < size ? rest : size;

		send_one(p, d->remote, at, len);
		at += len;
		rest -= len;
	} while (rest);
}

static void send_waiting(void *owner, const struct datagram *d)
{
	send_all(owner, d);
}

static bool is_from_relay(const struct proxy_port *p, const struct target *from)
{
	return target_is_name(&p->relay) || !from || target_is_name(from) || addr_equal(&p->relay.ip, &from->ip);
}

static void receive_one(struct proxy_port *p, const struct slice *s)
{
	struct socks_datagram head;
	struct datagram d = { .remote = &head.target };

	if (socks_read_datagram(slice_data(s), s->len, &head) != 0) {
		datagram_counters.malformed++;
		return;
	}
	if (head.frag) {
		datagram_counters.fragments++;
		return;
	}
	d.payload = (struct slice){ s->buf, s->off + (uint32_t)head.header_len, s->len - (uint32_t)head.header_len };
	p->port.events->receive(p->port.owner, &d, 1);
}

static void on_receive(void *owner, const struct datagram *d, int n)
{
	struct proxy_port *p = owner;

	for (int i = 0; i < n; i++) {
		struct slice rest = d[i].payload;

		if (!is_from_relay(p, d[i].remote)) {
			datagram_counters.malformed++;
			continue;
		}
		while (rest.len && !p->ended) {
			struct slice one = rest;

			if (d[i].segment && d[i].segment < rest.len)
				one.len = d[i].segment;
			receive_one(p, &one);
			rest.off += one.len;
			rest.len -= one.len;
		}
	}
}

/* ---- the association ---- */

static void dissolve(struct proxy_port *p)
{
	if (p->control)
		stream_end(p->control, END_DONE);
	if (p->under)
		datagram_end(p->under, END_DONE);
	p->control = NULL;
	p->under = NULL;
}

static void on_under_ended(void *owner, enum flow_end why)
{
	(void)why;
	dissolve(owner);
}

static const struct datagram_events under_events = { on_receive, on_under_ended, NULL };

static size_t on_control_data(void *owner, const struct slice *v, int n)
{
	(void)owner;
	return slices_len(v, n); /* a proxy has nothing more to say */
}

static void on_control_room(void *owner)
{
	(void)owner;
}

static void on_control_fin(void *owner)
{
	dissolve(owner);
}

static void on_control_ended(void *owner, enum flow_end why)
{
	(void)why;
	dissolve(owner);
}

static const struct stream_events control_events = { on_control_data, on_control_room, on_control_fin, on_control_ended };

static bool is_unspecified(const struct target *t)
{
	static const uint8_t zero[16];

	return !target_is_name(t) && memcmp(t->ip.ip.bytes, zero, addr_ip_len(&t->ip)) == 0;
}

static void drop_waiting(struct proxy_port *p)
{
	udp_waiting_drain(&p->waiting, &p->budget, NULL, NULL);
}

static void on_opened(void *owner, struct stream *control, const struct target *bound)
{
	struct proxy_port *p = owner;
	struct proxy *proxy = p->proxy;
	struct direct_udp_options direct = { .allow_local = true, .rules = &proxy->rules };

	p->dialing = false;
	p->control = control;
	stream_bind(control, &control_events, p);
	stream_want(control, true, false);
	p->relay = is_unspecified(bound) ? proxy->address : *bound;
	p->relay.ip.port = target_port(bound);
	p->under = proxy->via ? proxy->via->ops->port(proxy->via) : direct_udp_port(&direct);
	if (!p->under) {
		dissolve(p);
		drop_waiting(p);
		return;
	}
	datagram_bind(p->under, &under_events, p);
	udp_waiting_drain(&p->waiting, &p->budget, send_waiting, p);
}

static void on_failed(void *owner, enum flow_end why)
{
	struct proxy_port *p = owner;

	(void)why;
	p->dialing = false;
	drop_waiting(p);
}

static const struct proxy_dial_events dial_events = { on_opened, on_failed };

static void associate(struct proxy_port *p)
{
	static const uint8_t anywhere[4];
	struct addr any = addr_v4(anywhere, 0);
	struct target none;

	target_from_addr(&none, &any);
	p->tried_ms = loop_now();
	p->dialing = true;
	memset(&p->dial, 0, sizeof(p->dial));
	proxy_dial_start(&p->dial, p->proxy, SOCKS_UDP_ASSOCIATE, &none, &dial_events, p);
}

/* ---- the port ---- */

static void port_send(struct datagram_port *port, const struct datagram *d, int n)
{
	struct proxy_port *p = container_of(port, struct proxy_port, port);

	if (!p->under && !p->dialing && (!p->tried_ms || loop_now() - p->tried_ms >= RETRY_MS))
		associate(p);
	for (int i = 0; i < n; i++) {
		if (p->under)
			send_all(p, &d[i]);
		else if (!p->dialing || !udp_waiting_push(&p->waiting, &p->budget, &d[i]))
			datagram_counters.dropped_queue++;
	}
}

static void free_port(struct loop_work *w)
{
	free(container_of(w, struct proxy_port, free_work));
}

static void port_end(struct datagram_port *port, enum flow_end why)
{
	struct proxy_port *p = container_of(port, struct proxy_port, port);

	(void)why;
	p->ended = true;
	if (p->dialing)
		proxy_dial_cancel(&p->dial);
	p->dialing = false;
	dissolve(p);
	drop_waiting(p);
	proxy_release(p->proxy);
	loop_defer(&p->free_work, free_port);
}

static const struct datagram_port_ops port_ops = { .send = port_send, .end = port_end };

struct datagram_port *proxy_port_new(struct proxy *proxy)
{
	struct proxy_port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->port.ops = &port_ops;
	p->proxy = proxy;
	list_init(&p->waiting);
	return &p->port;
}
