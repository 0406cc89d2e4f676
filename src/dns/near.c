/*
 * See near.h. An ask:
 *
 *	sent by UDP ──silent TRY_MS──→ sent again ──silent──┐
 *	     └──────── truncated ───────────────────────────┴→ asked by TCP
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
	struct target server;
	struct dns_upstream *tcp;
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

static void ask_tcp(struct dns_near_ask *a)
{
	close_port(a);
	loop_timer_stop(&a->timer);
	a->tcp = dns_upstream_ask(a->near->tcp, slice_data(&a->query), a->query.len, on_tcp, a);
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

		if (len < DNS_HEADER_LEN || target_is_name(d[i].remote) || !addr_equal(&d[i].remote->ip, &a->near->server.ip) ||
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

static const struct datagram_events port_events = { on_receive, on_ended };

static void on_timer(struct loop_timer *);

/* The query under the id of the wire. */
static void send_query(struct dns_near_ask *a)
{
	struct buf *b = buf_get(a->query.len);
	struct datagram d = { .remote = &a->near->server };

	a->tries++;
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

	if (a->tries < 2)
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

struct dns_near *dns_near_new(struct outbound *out, const struct addr *server)
{
	struct dns_near *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->outbound = out;
	target_from_addr(&n->server, server);
	list_init(&n->asks);
	n->tcp = dns_upstream_new(out, &n->server);
	if (!n->tcp) {
		free(n);
		return NULL;
	}
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
	dns_upstream_free(n->tcp);
	loop_defer(&n->free_work, free_near);
}
