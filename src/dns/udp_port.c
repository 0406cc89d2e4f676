/*
 * The port that stands between a TUN's UDP and the association table:
 *
 *	app → tun_udp → on_receive ─┬─ port 53: answered, never seen by the table (dns_udp_port)
 *	                            ├─ fake address: its name as the target
 *	                            ├─ fake address of nobody: refused
 *	                            └─ else as it is
 *	app ← tun_udp ← port_send ──── the source turned back (alias.h)
 *
 * Invariants:
 * - A batch in which nothing is ours, while no source has ever used a fake
 *   address, passes through untouched: one look at each target.
 * - Order within a batch is kept.
 * - Translated targets live in scratch arrays, because datagrams only point at
 *   their target. They are made at need and freed when SCRATCH_IDLE_MS passed
 *   without any.
 * - A query in flight holds no buffer of the TUN: upstream.c copied it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "dns/alias.h"
#include "dns/answer.h"
#include "dns/state.h"
#include "loop/loop.h"

#define ANSWER_BATCH 16
#define SCRATCH_IDLE_MS 10000

struct udp_port {
	struct datagram_port port; /* the table's side */
	struct datagram_port *tun;
	bool queries; /* port 53 is ours */
	struct list node;
	struct list asks;
};

struct udp_ask { /* a query that upstream answers */
	struct list node;
	struct udp_port *port;
	void *ask; /* the service's */
	struct assoc_key key;
	struct addr asked; /* the address that the app sent it to */
	struct dns_question question;
};

/* What a batch becomes, and where its targets are. */
struct batch {
	struct udp_port *port;
	const struct datagram *before; /* the last one passed, as it came */
	struct datagram pass[DATAGRAM_BATCH];
	struct target names[DATAGRAM_BATCH];
	int n_pass;
	struct datagram answers[ANSWER_BATCH];
	struct target askeds[ANSWER_BATCH];
	int n_answers;
	struct target fakes[DATAGRAM_BATCH]; /* of replies */
};

static struct list ports = { &ports, &ports };
static struct batch *batch; /* the scratch */
static struct loop_timer batch_timer;
static bool batch_used; /* since the timer last looked */

static void on_batch_timer(struct loop_timer *t)
{
	if (batch_used) {
		batch_used = false;
		loop_timer_start(t, SCRATCH_IDLE_MS, on_batch_timer);
		return;
	}
	free(batch);
	batch = NULL;
}

static bool have_scratch(void)
{
	batch_used = true;
	if (batch)
		return true;
	batch = calloc(1, sizeof(*batch));
	if (batch)
		loop_timer_start(&batch_timer, SCRATCH_IDLE_MS, on_batch_timer);
	return batch;
}

/* ---- queries ---- */

static void send_answer(struct udp_port *p, const struct assoc_key *key, const struct addr *asked, struct slice payload)
{
	struct target t;
	struct datagram d = { .key = *key, .remote = &t, .payload = payload };

	target_from_addr(&t, asked);
	datagram_send(p->tun, &d, 1);
}

static void ask_free(struct udp_ask *a)
{
	list_remove(&a->node);
	free(a);
}

static void on_upstream(void *owner, const uint8_t *query, const uint8_t *reply, size_t reply_len)
{
	struct udp_ask *a = owner;
	struct buf *b = buf_get(BUF_SMALL);

	if (b) {
		size_t len = dns_answer_upstream(query, &a->question, reply, reply_len, b->data,
						 dns_answer_udp_limit(&a->question));
		send_answer(a->port, &a->key, &a->asked, (struct slice){ b, 0, (uint32_t)len });
		buf_unref(b);
	}
	ask_free(a);
}

/* False: it could not be asked. */
static bool forward(struct udp_port *p, const struct datagram *d, const struct dns_question *q, const uint8_t *msg,
		    size_t len)
{
	struct udp_ask *a = malloc(sizeof(*a));

	if (!a)
		return false;
	*a = (struct udp_ask){ .port = p, .key = d->key, .asked = d->remote->ip, .question = *q };
	a->ask = dns_state.service->ops->ask(dns_state.service, q, msg, len, on_upstream, a);
	if (!a->ask) {
		free(a);
		return false;
	}
	list_append(&p->asks, &a->node);
	return true;
}

static void flush_answers(struct batch *b)
{
	if (b->n_answers)
		datagram_send(b->port->tun, b->answers, b->n_answers);
	for (int i = 0; i < b->n_answers; i++)
		slice_unref(b->answers[i].payload);
	b->n_answers = 0;
}

static void add_answer(struct batch *b, const struct datagram *d, struct slice payload)
{
	struct target *t = &b->askeds[b->n_answers];

	target_from_addr(t, &d->remote->ip);
	b->answers[b->n_answers++] = (struct datagram){ .key = d->key, .remote = t, .payload = payload };
	if (b->n_answers == ANSWER_BATCH)
		flush_answers(b);
}

static void serve_query(struct batch *b, const struct datagram *d, const uint8_t *msg, size_t len)
{
	struct buf *buf = buf_get(BUF_SMALL);
	struct dns_question q;
	enum dns_outcome outcome;
	size_t out_len = 0;

	if (!buf)
		return;
	outcome = dns_service_answer(dns_state.service, msg, len, loop_now(), &q, buf->data, &out_len);
	if (outcome == DNS_FORWARD && !forward(b->port, d, &q, msg, len)) {
		out_len = dns_answer_rcode(msg, &q, DNS_RCODE_SERVFAIL, buf->data);
		outcome = DNS_ANSWERED;
	}
	if (outcome == DNS_ANSWERED)
		add_answer(b, d, (struct slice){ buf, 0, (uint32_t)out_len });
	else
		buf_unref(buf);
}

/* One datagram may hold several queries of one size (GRO). */
static void serve_queries(struct batch *b, const struct datagram *d)
{
	const uint8_t *p = slice_data(&d->payload);
	size_t left = d->payload.len, segment = d->segment ? d->segment : left;

	while (left) {
		size_t n = left < segment ? left : segment;

		serve_query(b, d, p, n);
		p += n;
		left -= n;
	}
}

/* ---- out ---- */

/* Apps send in runs: what was found for one datagram holds for the next. */
static bool same_flow(const struct datagram *a, const struct datagram *b)
{
	return a && a->key.session == b->key.session && addr_equal(&a->key.addr, &b->key.addr) &&
	       addr_equal(&a->remote->ip, &b->remote->ip) && !target_is_name(a->remote) && !target_is_name(b->remote);
}

static void pass(struct batch *b, const struct datagram *d, const struct target *remote)
{
	b->before = d;
	b->pass[b->n_pass] = *d;
	b->pass[b->n_pass++].remote = remote;
}

static void refuse(struct udp_port *p, const struct datagram *d)
{
	if (p->tun->ops->refuse)
		p->tun->ops->refuse(p->tun, d, END_REFUSED);
}

static void pass_name(struct batch *b, const struct datagram *d)
{
	uint64_t now = loop_now();
	struct target *t = &b->names[b->n_pass];
	uint32_t index;

	t->name_len = fakeip_find(dns_state.fakes, &d->remote->ip, t->name, &index);
	if (!t->name_len || !alias_sent_fake(&d->key, &d->remote->ip, now)) {
		refuse(b->port, d);
		return;
	}
	fakeip_touch(dns_state.fakes, index, now);
	t->ip = (struct addr){ .port = d->remote->ip.port };
	pass(b, d, t);
}

static bool is_fake(const struct target *t)
{
	return dns_state.mode == DNS_FAKE && fakeip_is_fake(dns_state.fakes, &t->ip);
}

static bool is_query(const struct udp_port *p, const struct target *t)
{
	return p->queries && target_port(t) == DNS_PORT;
}

static bool any_ours(const struct udp_port *p, const struct datagram *d, int n)
{
	for (int i = 0; i < n; i++)
		if (is_query(p, d[i].remote) || is_fake(d[i].remote))
			return true;
	return false;
}

static void sort(struct batch *b, const struct datagram *d)
{
	if (is_query(b->port, d->remote)) {
		serve_queries(b, d);
	} else if (same_flow(b->before, d)) {
		pass(b, d, b->pass[b->n_pass - 1].remote);
	} else if (is_fake(d->remote)) {
		pass_name(b, d);
	} else {
		if (alias_any())
			alias_sent_real(&d->key, &d->remote->ip);
		pass(b, d, d->remote);
	}
}

static void on_receive(void *owner, const struct datagram *d, int n)
{
	struct udp_port *p = owner;

	if (!alias_any() && !any_ours(p, d, n)) {
		p->port.events->receive(p->port.owner, d, n);
		return;
	}
	if (!have_scratch())
		return;
	batch->port = p;
	batch->before = NULL;
	batch->n_pass = batch->n_answers = 0;
	for (int i = 0; i < n; i++)
		sort(batch, &d[i]);
	flush_answers(batch);
	if (batch->n_pass)
		p->port.events->receive(p->port.owner, batch->pass, batch->n_pass);
}

static void on_ended(void *owner, enum flow_end why)
{
	struct udp_port *p = owner;

	p->port.events->ended(p->port.owner, why);
}

/* ---- back ---- */

static bool maps_to(const struct addr *fake, const void *arg)
{
	const struct target *t = arg;
	char name[TARGET_NAME_MAX + 1];
	uint32_t index;

	return fake->port == t->ip.port && fakeip_find(dns_state.fakes, fake, name, &index) == t->name_len &&
	       !memcmp(name, t->name, t->name_len);
}

/* The fake address of a name that the source sent to. */
static bool fake_of_name(const struct assoc_key *key, const struct target *name, struct addr *fake)
{
	return alias_find(key, maps_to, name, fake);
}

/* Who the app takes the sender of a reply for. Some servers (sing-box) answer
 * a datagram for a name as that name; one that no app of ours sent to stays a
 * name, and the TUN drops it. */
static const struct target *turn_back(const struct datagram *d, uint64_t now, struct target *scratch)
{
	struct addr fake;
	bool found = target_is_name(d->remote) ? fake_of_name(&d->key, d->remote, &fake)
					       : alias_reply(&d->key, &d->remote->ip, now, &fake);

	if (!found)
		return d->remote;
	target_from_addr(scratch, &fake);
	return scratch;
}

static void port_send(struct datagram_port *port, const struct datagram *d, int n)
{
	struct udp_port *p = (struct udp_port *)port;
	struct datagram out[DATAGRAM_BATCH];
	uint64_t now = loop_now();

	if (!alias_any() || !have_scratch()) {
		datagram_send(p->tun, d, n);
		return;
	}
	for (int i = 0; i < n; i++) {
		out[i] = d[i];
		if (i && same_flow(&d[i - 1], &d[i]))
			out[i].remote = out[i - 1].remote;
		else
			out[i].remote = turn_back(&d[i], now, &batch->fakes[i]);
	}
	datagram_send(p->tun, out, n);
}

/* The app is told about the address that it used. */
static void port_refuse(struct datagram_port *port, const struct datagram *d, enum flow_end why)
{
	struct udp_port *p = (struct udp_port *)port;
	struct datagram own = *d;
	struct target t;

	if (!p->tun->ops->refuse)
		return;
	own.remote = turn_back(d, loop_now(), &t);
	if (!target_is_name(own.remote))
		p->tun->ops->refuse(p->tun, &own, why);
}

static void port_forget(struct datagram_port *port, const struct assoc_key *key)
{
	struct udp_port *p = (struct udp_port *)port;

	if (alias_any())
		alias_forget(key);
	if (p->tun->ops->forget)
		p->tun->ops->forget(p->tun, key);
}

/* ---- life ---- */

static void port_free(struct udp_port *p)
{
	list_for_each_safe(it, &p->asks) {
		struct udp_ask *a = container_of(it, struct udp_ask, node);

		dns_state.service->ops->cancel(dns_state.service, a->ask);
		ask_free(a);
	}
	list_remove(&p->node);
	free(p);
}

static void port_end(struct datagram_port *port, enum flow_end why)
{
	struct udp_port *p = (struct udp_port *)port;
	struct datagram_port *tun = p->tun;

	port_free(p);
	if (tun->ops->end)
		datagram_end(tun, why);
}

static const struct datagram_port_ops port_ops = {
	.send = port_send, .end = port_end, .refuse = port_refuse, .forget = port_forget
};
static const struct datagram_events tun_events = { on_receive, on_ended, NULL };

static struct datagram_port *stand_before(struct datagram_port *tun, bool queries)
{
	struct udp_port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->queries = queries;
	p->port.ops = &port_ops;
	p->tun = tun;
	list_init(&p->asks);
	list_append(&ports, &p->node);
	datagram_bind(tun, &tun_events, p);
	return &p->port;
}

struct datagram_port *dns_udp_port(struct datagram_port *tun)
{
	return dns_state.mode == DNS_OFF ? tun : stand_before(tun, true);
}

struct datagram_port *dns_udp_names(struct datagram_port *in)
{
	return dns_state.fakes && dns_state.mode == DNS_FAKE ? stand_before(in, false) : in;
}

void dns_udp_leave(struct datagram_port *port)
{
	if (port->ops == &port_ops)
		port_free((struct udp_port *)port);
}

void dns_udp_free(void)
{
	list_for_each_safe(it, &ports)
		port_free(container_of(it, struct udp_port, node));
	loop_timer_stop(&batch_timer);
	free(batch);
	batch = NULL;
}
