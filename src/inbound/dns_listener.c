/*
 * Datagrams are answered one by one: at once where the service knows, else when
 * it has been told, from the address of ours that the client asked. A client is
 * nothing that is remembered. At most ASKS_MAX questions wait at a time; what
 * comes meanwhile is dropped and counted, and its client asks again.
 */
#include "inbound/dns_listener.h"

#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "io/datagram_counters.h"
#include "io/tcp_socket.h"
#include "io/udp_socket.h"
#include "loop/loop.h"

#define ASKS_MAX 1024u

struct dns_listener {
	struct dns_service *service;
	struct tcp_listener *tcp;
	struct udp_socket *udp;
	const struct inbound_events *events;
	void *owner;
	struct list asks;
	unsigned n_asks;
};

/* A query by UDP that the service asks of somebody. */
struct ask {
	struct list node;
	struct dns_listener *listener;
	void *request; /* the service's */
	struct addr peer, local;
	struct dns_question question;
};

/* ---- UDP ---- */

static void send_reply(struct dns_listener *l, const struct addr *peer, const struct addr *local, struct buf *b, size_t len)
{
	struct udp_outgoing o = { .remote = peer, .local = local->family ? local : NULL, .payload = { b, 0, (uint32_t)len },
				  .flow = peer->port };

	udp_socket_send(l->udp, &o);
}

static void free_ask(struct ask *a)
{
	list_remove(&a->node);
	a->listener->n_asks--;
	free(a);
}

static void on_answer(void *owner, const uint8_t *query, const uint8_t *reply, size_t reply_len)
{
	struct ask *a = owner;
	struct buf *b = buf_get(BUF_SMALL);

	if (b) {
		size_t len = dns_answer_upstream(query, &a->question, reply, reply_len, b->data, dns_answer_udp_limit(&a->question));

		send_reply(a->listener, &a->peer, &a->local, b, len);
		buf_unref(b);
	}
	free_ask(a);
}

/* False: it cannot be asked now. */
static bool forward(struct dns_listener *l, const struct udp_message *m, const struct dns_question *q, const uint8_t *msg, size_t len)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (!a)
		return false;
	*a = (struct ask){ .listener = l, .peer = m->peer, .local = m->local, .question = *q };
	a->request = l->service->ops->ask(l->service, q, msg, len, on_answer, a);
	if (!a->request) {
		free(a);
		return false;
	}
	list_append(&l->asks, &a->node);
	l->n_asks++;
	return true;
}

static void take_query(struct dns_listener *l, const struct udp_message *m, const uint8_t *msg, size_t len)
{
	struct buf *b = l->n_asks < ASKS_MAX ? buf_get(BUF_SMALL) : NULL;
	struct dns_question q;
	enum dns_outcome outcome;
	size_t out_len = 0;

	if (!b) {
		datagram_counters.dropped_queue++;
		return;
	}
	outcome = dns_service_answer(l->service, msg, len, loop_now(), &q, b->data, &out_len);
	if (outcome == DNS_FORWARD && !forward(l, m, &q, msg, len)) {
		out_len = dns_answer_rcode(msg, &q, DNS_RCODE_SERVFAIL, b->data);
		outcome = DNS_ANSWERED;
	}
	if (outcome == DNS_ANSWERED)
		send_reply(l, &m->peer, &m->local, b, out_len);
	else if (outcome == DNS_DROP)
		datagram_counters.malformed++;
	buf_unref(b);
}

static void on_receive(void *owner, const struct udp_message *m, int n)
{
	struct dns_listener *l = owner;

	for (int i = 0; i < n; i++) {
		const uint8_t *p = slice_data(&m[i].payload);
		size_t left = m[i].payload.len, segment = m[i].segment ? m[i].segment : left;

		for (; left; p += segment, left -= segment) {
			if (segment > left)
				segment = left;
			take_query(l, &m[i], p, segment);
		}
	}
}

static const struct udp_socket_events socket_events = { on_receive, NULL };

/* ---- TCP ---- */

static void on_client(void *owner, struct stream *s, const struct addr *client)
{
	struct dns_listener *l = owner;
	enum flow_end why = inbound_admit(l->events, l->owner, client);

	if (why == END_DONE)
		dns_service_serve(l->service, s);
	else
		stream_end(s, why);
}

static const struct tcp_listener_events listener_events = { on_client };

/* ---- life ---- */

static int open_sockets(struct dns_listener *l, const struct dns_listener_options *o)
{
	struct udp_socket_options udp = { .bind = &o->listen_udp, .pktinfo = true, .listens = true };
	struct tcp_socket_options tcp = { .keepalive = true };
	int err = 0;

	if (o->udp && !(l->udp = udp_socket_open(&udp, &socket_events, l, &err)))
		return err;
	if (o->tcp && !(l->tcp = tcp_listener_new(&o->listen, &tcp, &listener_events, l, &err)))
		return err;
	return 0;
}

struct dns_listener *dns_listener_new(const struct dns_listener_options *o, const struct inbound_events *events, void *owner, int *err)
{
	struct dns_listener *l = calloc(1, sizeof(*l));

	*err = ENOMEM;
	if (!l)
		return NULL;
	l->service = o->service;
	l->events = events;
	l->owner = owner;
	list_init(&l->asks);
	*err = open_sockets(l, o);
	if (*err) {
		dns_listener_free(l);
		return NULL;
	}
	return l;
}

void dns_listener_free(struct dns_listener *l)
{
	list_for_each_safe (it, &l->asks) {
		struct ask *a = container_of(it, struct ask, node);

		l->service->ops->cancel(l->service, a->request);
		free_ask(a);
	}
	if (l->udp)
		udp_socket_close(l->udp);
	if (l->tcp)
		tcp_listener_free(l->tcp);
	free(l);
}
