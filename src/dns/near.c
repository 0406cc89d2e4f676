/*
 * See near.h. An ask:
 *
 *	sent by UDP ──silent TRY_MS──→ sent again, to the next ──silent──┐
 *	     └──────── truncated ────────────────────────────────────────┴→ asked by TCP
 *
 * Who cannot see the question must guess a random id and a random source port,
 * so each ask has its own port: that is what makes a forged answer unlikely.
 * An answer counts only from the server's address, with the id and the
 * question. Whatever else comes is dropped silently, as a resolver must.
 */
#include "dns/near.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "dns/state.h"
#include "loop/loop.h"
#include "proto/dns_message.h"

#define ASKS_MAX 512u
#define TRY_MS 1000u
#define FLAG_TC 0x02

struct dns_near {
	struct outbound *outbound;
	struct server {
		struct target at;
		struct dns_upstream *tcp; /* made at need */
	} servers[DNS_NEAR_SERVERS];
	int n_servers;
	void (*before)(void *owner);
	void *before_owner;
	struct list asks;
	unsigned n_asks;
	struct loop_work free_work;
};

struct dns_near_ask {
	struct list node;
	struct dns_near *near;
	struct datagram_port *port; /* NULL: by TCP */
	struct dns_ask *tcp;
	struct slice query; /* as it was asked */
	uint16_t id;	    /* on the wire */
	struct addr server; /* the one that was asked last */
	unsigned tries;
	struct loop_timer timer;
	struct loop_work free_work;
	dns_upstream_done *done;
	void *owner;
};

static void free_ask(struct loop_work *w)
{
	free(container_of(w, struct dns_near_ask, free_work));
}

static void close_port(struct dns_near_ask *a)
{
	if (a->port)
		datagram_end(a->port, END_DONE);
	a->port = NULL;
}

static void end_ask(struct dns_near_ask *a)
{
	close_port(a);
	if (a->tcp)
		dns_upstream_cancel(a->tcp);
	a->tcp = NULL;
	loop_timer_stop(&a->timer);
	list_remove(&a->node);
	a->near->n_asks--;
	slice_unref(a->query);
	loop_defer(&a->free_work, free_ask);
}

static void finish(struct dns_near_ask *a, const uint8_t *reply, size_t len)
{
	struct slice query = slice_ref(a->query);
	dns_upstream_done *done = a->done;
	void *owner = a->owner;

	end_ask(a);
	done(owner, slice_data(&query), reply, len);
	slice_unref(query);
}

/* ---- TCP ---- */

static void on_tcp(void *owner, const uint8_t *query, const uint8_t *reply, size_t len)
{
	struct dns_near_ask *a = owner;

	(void)query;
	a->tcp = NULL;
	finish(a, reply, len);
}

/* The one that was asked last; the first where it is no server any more. */
static struct dns_upstream *tcp_of(struct dns_near *n, const struct addr *last)
{
	struct server *s = &n->servers[0];

	for (int i = 1; i < n->n_servers; i++)
		if (addr_equal(&n->servers[i].at.ip, last))
			s = &n->servers[i];
	if (!s->tcp)
		s->tcp = dns_upstream_new(n->outbound, &s->at);
	return s->tcp;
}

static void ask_tcp(struct dns_near_ask *a)
{
	struct dns_upstream *tcp = tcp_of(a->near, &a->server);

	close_port(a);
	loop_timer_stop(&a->timer);
	if (tcp)
		a->tcp = dns_upstream_ask(tcp, slice_data(&a->query), a->query.len, on_tcp, a);
	if (!a->tcp)
		finish(a, NULL, 0);
}

/* ---- UDP ---- */

static void on_receive(void *owner, const struct datagram *d, int n)
{
	struct dns_near_ask *a = owner;

	for (int i = 0; a->port && i < n; i++) {
		const uint8_t *m = slice_data(&d[i].payload);
		size_t len = d[i].segment && d[i].segment < d[i].payload.len ? d[i].segment : d[i].payload.len;

		if (len < DNS_HEADER_LEN || target_is_name(d[i].remote) || !addr_equal(&d[i].remote->ip, &a->server) ||
		    dns_message_id(m) != a->id || !dns_message_answers(m, len, slice_data(&a->query), a->query.len))
			continue;
		if (m[2] & FLAG_TC)
			ask_tcp(a);
		else
			finish(a, m, len);
		return;
	}
}

static void on_ended(void *owner, enum flow_end why)
{
	(void)why;
	ask_tcp(owner);
}

static const struct datagram_events port_events = { on_receive, on_ended, NULL };

static void on_timer(struct loop_timer *);

/* The query under the id of the wire. */
static void send_query(struct dns_near_ask *a)
{
	struct buf *b = buf_get(a->query.len);
	struct target to;
	struct datagram d = { .remote = &to };

	a->server = a->near->servers[a->tries++ % (unsigned)a->near->n_servers].at.ip;
	target_from_addr(&to, &a->server);
	loop_timer_start(&a->timer, TRY_MS, on_timer);
	if (!b)
		return; /* the next try may have memory */
	memcpy(b->data, slice_data(&a->query), a->query.len);
	dns_message_set_id(b->data, a->id);
	d.payload = (struct slice){ b, 0, a->query.len };
	datagram_send(a->port, &d, 1);
	buf_unref(b);
}

static void on_timer(struct loop_timer *t)
{
	struct dns_near_ask *a = container_of(t, struct dns_near_ask, timer);

	if (a->port && (a->tries < 2 || a->tries < (unsigned)a->near->n_servers))
		send_query(a);
	else
		ask_tcp(a);
}

/* ---- the calls ---- */

static bool keep_query(struct dns_near_ask *a, const uint8_t *query, size_t len)
{
	struct buf *b = buf_get((uint32_t)len);

	if (!b)
		return false;
	memcpy(b->data, query, len);
	a->query = (struct slice){ b, 0, (uint32_t)len };
	return true;
}

struct dns_near_ask *dns_near_ask(struct dns_near *near, const uint8_t *query, size_t len, dns_upstream_done *done, void *owner)
{
	struct dns_near_ask *a;

	if (near->before)
		near->before(near->before_owner);
	if (len < DNS_HEADER_LEN || len > DNS_MESSAGE_MAX || near->n_asks >= ASKS_MAX)
		return NULL;
	a = calloc(1, sizeof(*a));
	if (!a || !keep_query(a, query, len)) {
		free(a);
		return NULL;
	}
	a->port = near->outbound->ops->port(near->outbound);
	if (!a->port) {
		slice_unref(a->query);
		free(a);
		return NULL;
	}
	datagram_bind(a->port, &port_events, a);
	a->near = near;
	a->id = (uint16_t)randombytes_uniform(65536);
	a->done = done;
	a->owner = owner;
	list_append(&near->asks, &a->node);
	near->n_asks++;
	dns_state.counters.upstream_queries++;
	send_query(a);
	return a;
}

void dns_near_cancel(struct dns_near_ask *a)
{
	end_ask(a);
}

static void drop_servers(struct dns_near *n)
{
	for (int i = 0; i < n->n_servers; i++)
		dns_upstream_free(n->servers[i].tcp);
	n->n_servers = 0;
}

/* What was asked by TCP of servers that are none any more is asked again. */
static void ask_again(struct dns_near *n)
{
	list_for_each (it, &n->asks) {
		struct dns_near_ask *a = container_of(it, struct dns_near_ask, node);

		if (!a->tcp)
			continue;
		dns_upstream_cancel(a->tcp);
		a->tcp = NULL;
		loop_timer_start(&a->timer, 0, on_timer);
	}
}

void dns_near_set(struct dns_near *n, const struct addr *servers, int count)
{
	ask_again(n);
	drop_servers(n);
	for (int i = 0; i < count && i < DNS_NEAR_SERVERS; i++) {
		n->servers[i] = (struct server){ 0 };
		target_from_addr(&n->servers[i].at, &servers[i]);
		n->n_servers++;
	}
}

void dns_near_before_ask(struct dns_near *n, void (*fn)(void *owner), void *owner)
{
	n->before = fn;
	n->before_owner = owner;
}

struct dns_near *dns_near_new(struct outbound *out, const struct addr *servers, int count)
{
	struct dns_near *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->outbound = out;
	list_init(&n->asks);
	dns_near_set(n, servers, count);
	return n;
}

static void free_near(struct loop_work *w)
{
	free(container_of(w, struct dns_near, free_work));
}

void dns_near_free(struct dns_near *n)
{
	if (!n)
		return;
	list_for_each_safe (it, &n->asks)
		end_ask(container_of(it, struct dns_near_ask, node));
	drop_servers(n);
	loop_defer(&n->free_work, free_near);
}
