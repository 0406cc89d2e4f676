/* See chooser.h. */
#include "dns/chooser.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/list.h"
#include "loop/loop.h"
#include "route/decide.h"

struct chooser {
	struct dns_service service;
	struct dns_chooser_options options;
};

/* A question under way. */
struct request {
	struct dns_ask *far;	   /* asked, and not answered yet */
	struct dns_near_ask *near; /* the same */
	struct chooser *chooser;
	struct slice held; /* the far answer, while the near one is awaited */
	bool far_done, near_wanted;
	struct loop_work free_work;
	dns_upstream_done *done;
	void *owner;
};

static struct chooser *of(struct dns_service *s)
{
	return container_of(s, struct chooser, service);
}

/* ---- the decision ---- */

static bool is_own(const struct chooser *c, const struct dns_question *q)
{
	for (int i = 0; i < c->options.n_own; i++) {
		const struct target *t = &c->options.own[i];

		/* A server by its address has no name; neither has the root, which is nobody's own. */
		if (t->name_len && t->name_len == q->name_len && strncasecmp(t->name, q->name, q->name_len) == 0)
			return true;
	}
	return false;
}

/* What the mode says of what no list can name. */
static enum route_verdict by_mode(const struct acl *a)
{
	return a->bypass_all ? ROUTE_DIRECT : ROUTE_PROXY;
}

static enum route_verdict decide(const struct chooser *c, const struct dns_question *q)
{
	const struct acl *a = c->options.acl;
	struct target t = { .name_len = q->name_len };
	enum route_verdict v;

	if (is_own(c, q))
		return ROUTE_DIRECT;
	if (!a)
		return ROUTE_PROXY;
	if (q->class != DNS_CLASS_IN || !q->name_len)
		return by_mode(a);
	if (q->type == DNS_TYPE_PTR && dns_answer_arpa(q, &t.ip))
		t.name_len = 0;
	else
		memcpy(t.name, q->name, q->name_len);
	v = route_target(a, &t);
	if (v == ROUTE_RESOLVE && q->type != DNS_TYPE_A && q->type != DNS_TYPE_AAAA)
		return by_mode(a); /* its answer has no addresses to decide by */
	return v;
}

/* The addresses of an answer, at most RESOLVE_MAX of them; -1: it cannot be read. */
static int read_addresses(const uint8_t *reply, size_t len, struct addr *addrs)
{
	struct dns_records it;
	struct dns_record r;
	int n = 0;

	if (dns_records_begin(&it, reply, len) < 0)
		return -1;
	while (n < RESOLVE_MAX && dns_records_next(&it, &r) == 1) {
		if (r.authority || r.class != DNS_CLASS_IN)
			continue;
		if (r.type == DNS_TYPE_A && r.len == 4)
			addrs[n++] = addr_v4(r.data, 0);
		else if (r.type == DNS_TYPE_AAAA && r.len == 16)
			addrs[n++] = addr_v6(r.data, 0);
	}
	return n;
}

/* What the addresses of an answer say of its name. The list that asked for them may be gone by
 * now: a reload goes on without one. */
static enum route_verdict decide_reply(const struct chooser *c, const uint8_t *reply, size_t len)
{
	struct addr addrs[RESOLVE_MAX];
	int n = c->options.acl ? read_addresses(reply, len, addrs) : -1;

	return n < 0 ? ROUTE_PROXY : route_resolved(c->options.acl, addrs, n);
}

/* Of fake mode: what goes past the proxy, or nowhere, is not answered with fake addresses. */
static enum config_dns chooser_mode(struct dns_service *s, const struct dns_question *q)
{
	enum route_verdict v;

	if (s->mode != DNS_FAKE || !of(s)->options.near || q->type == DNS_TYPE_PTR)
		return s->mode;
	v = decide(of(s), q);
	return v == ROUTE_DIRECT || v == ROUTE_BLOCK ? DNS_UPSTREAM : DNS_FAKE;
}

static unsigned chooser_refuse(struct dns_service *s, const struct dns_question *q)
{
	return decide(of(s), q) == ROUTE_BLOCK ? DNS_RCODE_REFUSED : DNS_RCODE_OK;
}

/* ---- a request ---- */

static void free_request(struct loop_work *w)
{
	free(container_of(w, struct request, free_work));
}

static void end_request(struct request *r)
{
	if (r->far)
		dns_upstream_cancel(r->far);
	if (r->near)
		dns_near_cancel(r->near);
	r->far = NULL;
	r->near = NULL;
	if (r->held.buf)
		slice_unref(r->held);
	loop_defer(&r->free_work, free_request);
}

/* A connection to one of its addresses shall go as the name goes. */
static void note_addresses(const struct chooser *c, const uint8_t *query, const uint8_t *reply, size_t len)
{
	char name[DNS_NAME_TEXT_MAX + 1];
	struct addr addrs[RESOLVE_MAX];
	int n = len ? read_addresses(reply, len, addrs) : 0, name_len;
	size_t next;

	if (n <= 0)
		return;
	name_len = dns_message_read_name(query, len, DNS_HEADER_LEN, name, &next, NULL);
	for (int i = 0; name_len > 0 && i < n; i++)
		dns_seen_note(c->options.seen, &addrs[i], name, (size_t)name_len, loop_now());
}

static void answer(struct request *r, const uint8_t *query, const uint8_t *reply, size_t len)
{
	dns_upstream_done *done = r->done;
	void *owner = r->owner;

	if (r->chooser->options.seen)
		note_addresses(r->chooser, query, reply, len);
	done(owner, query, reply, len);
	end_request(r);
}

/* Keeps the far answer until it is known whether it is wanted. */
static void hold(struct request *r, const uint8_t *reply, size_t len)
{
	struct buf *b = len ? buf_get((uint32_t)len) : NULL;

	if (!b)
		return; /* as if it had failed */
	memcpy(b->data, reply, len);
	r->held = (struct slice){ b, 0, (uint32_t)len };
}

static void on_far(void *owner, const uint8_t *query, const uint8_t *reply, size_t len)
{
	struct request *r = owner;

	r->far = NULL;
	r->far_done = true;
	if (r->near)
		hold(r, reply, len);
	else
		answer(r, query, reply, len);
}

static void on_near(void *owner, const uint8_t *query, const uint8_t *reply, size_t len)
{
	struct request *r = owner;

	r->near = NULL;
	if (r->near_wanted || (len && decide_reply(r->chooser, reply, len) == ROUTE_DIRECT))
		answer(r, query, reply, len);
	else if (r->far_done)
		answer(r, query, r->held.buf ? slice_data(&r->held) : NULL, r->held.len);
}

static void *chooser_ask(struct dns_service *s, const struct dns_question *q, const uint8_t *query, size_t len,
			 dns_upstream_done *done, void *owner)
{
	struct chooser *c = of(s);
	enum route_verdict v = decide(c, q);
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct request){ .chooser = c, .near_wanted = v == ROUTE_DIRECT, .done = done, .owner = owner };
	if (v == ROUTE_DIRECT || v == ROUTE_RESOLVE)
		r->near = dns_near_ask(c->options.near, query, len, on_near, r);
	if (v == ROUTE_PROXY || v == ROUTE_RESOLVE)
		r->far = dns_upstream_ask(c->options.far, query, len, on_far, r);
	if (r->near || r->far) {
		r->far_done = !r->far;
		return r;
	}
	free(r);
	return NULL;
}

static void chooser_cancel(struct dns_service *s, void *request)
{
	(void)s;
	end_request(request);
}

static const struct dns_service_ops chooser_ops = { chooser_mode, chooser_refuse, chooser_ask, chooser_cancel };

/* ---- life ---- */

struct dns_service *dns_chooser_new(const struct dns_chooser_options *o)
{
	struct chooser *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->service = (struct dns_service){ .ops = &chooser_ops, .mode = o->mode };
	c->options = *o;
	return &c->service;
}

void dns_chooser_change(struct dns_service *s, const struct acl *acl, const struct target *own, int n_own)
{
	struct dns_chooser_options *o = &of(s)->options;

	o->acl = acl;
	o->own = own;
	o->n_own = n_own;
}

void dns_chooser_free(struct dns_service *s)
{
	if (s)
		free(of(s));
}
