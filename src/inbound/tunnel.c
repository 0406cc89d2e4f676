/*
 * Tunnels. TCP: a client that connects is handed over at once; it is not held
 * back, so a dial that fails is a reset. UDP: a client is its address; replies
 * leave from the address of ours that the client sent to, which is remembered
 * for as long as the association table knows the client.
 *
 * Replies from others than the target reach the client as well (full cone): it
 * cannot tell them apart, and neither could a NAT.
 */
#include "inbound/tunnel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/list.h"
#include "io/datagram_counters.h"
#include "io/tcp_socket.h"
#include "io/udp_socket.h"
#include "transport/ss_port.h"

#define SOCKET_BUFFER (4u * 1024 * 1024)

/* ---- TCP ---- */

struct tunnel_tcp {
	struct tcp_listener *listener;
	struct target forward;
	const struct inbound_events *events;
	void *owner;
};

static void on_client(void *owner, struct stream *s, const struct addr *client)
{
	struct tunnel_tcp *t = owner;
	enum flow_end why = inbound_admit(t->events, t->owner, client);

	if (why != END_DONE)
		stream_end(s, why);
	else
		t->events->stream(t->owner, s, client, &t->forward);
}

static const struct tcp_listener_events listener_events = { on_client };

struct tunnel_tcp *tunnel_tcp_new(const struct addr *listen, const struct target *forward, const struct inbound_events *events,
				  void *owner, int *err)
{
	struct tcp_socket_options socket = { .reset_on_death = true, .keepalive = true };
	struct tunnel_tcp *t = calloc(1, sizeof(*t));

	*err = ENOMEM;
	if (!t)
		return NULL;
	t->forward = *forward;
	t->events = events;
	t->owner = owner;
	t->listener = tcp_listener_new(listen, &socket, &listener_events, t, err);
	if (!t->listener) {
		free(t);
		return NULL;
	}
	return t;
}

void tunnel_tcp_free(struct tunnel_tcp *t)
{
	tcp_listener_free(t->listener);
	free(t);
}

/* ---- UDP ---- */

struct client {
	struct hash_node node;
	struct addr addr, local;
};

struct tunnel_udp {
	struct datagram_port port;
	struct udp_socket *socket;
	struct target forward;
	tunnel_choice *choose; /* or NULL: all goes to `forward` */
	void *choice_owner;
	struct hash clients;
};

static struct tunnel_udp *of(struct datagram_port *p)
{
	return container_of(p, struct tunnel_udp, port);
}

static struct client *find(const struct tunnel_udp *t, const struct addr *a)
{
	uint64_t value = addr_hash(a);

	for (struct hash_node *n = hash_first(&t->clients, value); n; n = hash_next(n, value)) {
		struct client *c = container_of(n, struct client, node);
		if (addr_equal(&c->addr, a))
			return c;
	}
	return NULL;
}

static struct client *client_of(struct tunnel_udp *t, const struct addr *a)
{
	struct client *c = find(t, a);

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->addr = *a;
	hash_insert(&t->clients, &c->node, addr_hash(a));
	return c;
}

/* Each datagram by itself: they may go to different targets. */
static void choose_each(struct tunnel_udp *t, const struct udp_message *m)
{
	struct ss_port_cut cut;
	struct client *c;

	for (uint32_t off = 0; ss_port_cut(m, &off, &cut);) {
		struct datagram d = { .key = { .addr = m->peer }, .payload = { m->payload.buf, cut.off, cut.len } };

		d.remote = t->choose(t->choice_owner, &d.payload);
		if (!d.remote) {
			datagram_counters.dropped_crypto++;
			continue;
		}
		c = client_of(t, &m->peer); /* only now: strangers leave nothing behind */
		if (!c) {
			datagram_counters.dropped_queue++;
			continue;
		}
		c->local = m->local;
		t->port.events->receive(t->port.owner, &d, 1);
	}
}

static void on_receive(void *owner, const struct udp_message *m, int n)
{
	struct tunnel_udp *t = owner;
	struct datagram d[UDP_RECEIVE_BATCH];
	int count = 0;

	for (int i = 0; i < n && i < UDP_RECEIVE_BATCH; i++) {
		struct client *c;

		if (t->choose) {
			choose_each(t, &m[i]);
			continue;
		}
		c = client_of(t, &m[i].peer);
		if (!c) {
			datagram_counters.dropped_queue++;
			continue;
		}
		c->local = m[i].local;
		d[count++] = (struct datagram){ .key = { .addr = m[i].peer }, .remote = &t->forward, .payload = m[i].payload,
						.segment = m[i].segment };
	}
	if (count)
		t->port.events->receive(t->port.owner, d, count);
}

static const struct udp_socket_events socket_events = { on_receive, NULL };

static void tunnel_send(struct datagram_port *port, const struct datagram *d, int n)
{
	struct tunnel_udp *t = of(port);

	for (int i = 0; i < n; i++) {
		struct client *c = find(t, &d[i].key.addr);
		struct udp_outgoing o = { .remote = &d[i].key.addr, .payload = d[i].payload, .segment = d[i].segment,
					  .flow = d[i].key.addr.port };

		if (!c)
			continue;
		o.local = c->local.family ? &c->local : NULL;
		udp_socket_send(t->socket, &o);
	}
}

static void tunnel_forget(struct datagram_port *port, const struct assoc_key *key)
{
	struct tunnel_udp *t = of(port);
	struct client *c = find(t, &key->addr);

	if (!c)
		return;
	hash_remove(&t->clients, &c->node);
	free(c);
}

static void tunnel_refuse(struct datagram_port *port, const struct datagram *d, enum flow_end why)
{
	(void)why;
	tunnel_forget(port, &d->key);
}

static void tunnel_end(struct datagram_port *port, enum flow_end why)
{
	(void)port, (void)why; /* an inbound is freed by its owner */
}

static const struct datagram_port_ops tunnel_ops = {
	.send = tunnel_send,
	.end = tunnel_end,
	.refuse = tunnel_refuse,
	.forget = tunnel_forget,
};

struct tunnel_udp *tunnel_udp_new(const struct addr *listen, const struct target *forward, int *err)
{
	struct udp_socket_options o = { .bind = listen, .listens = true, .pktinfo = true, .buffer = SOCKET_BUFFER };
	struct tunnel_udp *t = calloc(1, sizeof(*t));

	*err = ENOMEM;
	if (!t)
		return NULL;
	t->port.ops = &tunnel_ops;
	if (forward)
		t->forward = *forward;
	if (hash_init(&t->clients) == 0)
		t->socket = udp_socket_open(&o, &socket_events, t, err);
	if (!t->socket) {
		hash_free(&t->clients);
		free(t);
		return NULL;
	}
	return t;
}

void tunnel_udp_set_choice(struct tunnel_udp *t, tunnel_choice *choose, void *owner)
{
	t->choose = choose;
	t->choice_owner = owner;
}

void tunnel_udp_free(struct tunnel_udp *t)
{
	udp_socket_close(t->socket);
	hash_free(&t->clients);
	free(t);
}

struct datagram_port *tunnel_udp_port(struct tunnel_udp *t)
{
	return &t->port;
}
