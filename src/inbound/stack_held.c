/*
 * Held SYNs: a client of the TUN knocks, and hears nothing until its upstream
 * stands or is known to fail. Then lwIP gets the very SYN that came, or the app
 * gets what the native network would have sent: RST, or an ICMP error.
 *
 * The app's kernel repeats its SYN meanwhile: the copies are dropped. A SYN
 * with another sequence number is another connect from the same port; the old
 * one is told as reset, and the next copy of the new one is held.
 *
 * Caps: HALF_OPEN_MAX in all, held or with their SYN-ACK unanswered; of these
 * HALF_OPEN_PER_SOURCE for one address, so that one host of a LAN cannot shut the
 * others out; and from HALF_OPEN_FRESH on a SYN must come twice (stack_gate.c).
 * Above them a SYN is dropped without a word, as a full backlog does: it comes
 * again in a second. No dial is started beyond the caps. Where SYN-ACKs stay
 * unanswered the oldest give way: an app that is there answers at once.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cells.h"
#include "inbound/icmp.h"
#include "inbound/packet.h"
#include "inbound/stack_conn.h"
#include "loop/loop.h"

#define HALF_OPEN_MAX 4096u
#define HALF_OPEN_FRESH 2048u
#define HALF_OPEN_PER_SOURCE 1536u
#define ANSWER_MS 200 /* a SYN-ACK that is older may give way */
/* IP header, extension headers that we walk, TCP header: more is not kept. */
#define SYN_MAX 256u

struct stack_source {
	struct hash_node node;
	struct addr ip;
	uint32_t half_open;
};

struct stack_syn {
	struct hash_node node; /* by app and target */
	struct stack_conn *conn;
	struct addr app, target;
	uint32_t seq;
	uint16_t len, l4; /* of bytes: the packet's headers */
	uint8_t bytes[];
};

static struct hash syns, sources;

static uint64_t hash_pair(const struct addr *app, const struct addr *target)
{
	struct addr key[2] = { *app, *target };

	return hash_bytes(key, sizeof(key));
}

static struct stack_syn *find(const struct packet *p)
{
	uint64_t value = hash_pair(&p->src, &p->dst);

	for (struct hash_node *n = hash_first(&syns, value); n; n = hash_next(n, value)) {
		struct stack_syn *s = container_of(n, struct stack_syn, node);

		if (addr_equal(&s->app, &p->src) && addr_equal(&s->target, &p->dst))
			return s;
	}
	return NULL;
}

/* ---- sources ---- */

static struct stack_source *source_get(const struct addr *app)
{
	struct addr ip = *app;
	struct stack_source *s;
	uint64_t value;

	ip.port = 0;
	value = hash_bytes(&ip, sizeof(ip));
	for (struct hash_node *n = hash_first(&sources, value); n; n = hash_next(n, value)) {
		s = container_of(n, struct stack_source, node);
		if (addr_ip_equal(&s->ip, &ip)) {
			if (s->half_open >= HALF_OPEN_PER_SOURCE)
				return NULL;
			s->half_open++;
			return s;
		}
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->ip = ip;
	s->half_open = 1;
	hash_insert(&sources, &s->node, value);
	return s;
}

static void source_put(struct stack_source *s)
{
	if (--s->half_open)
		return;
	hash_remove(&sources, &s->node);
	free(s);
}

/* ---- holding ---- */

static struct stack_syn *syn_new(const struct packet *p)
{
	const uint8_t *tcp = packet_l4(p);
	uint32_t len = p->l4 + (uint32_t)(tcp[12] >> 4) * 4;
	struct stack_syn *s;

	if (len > SYN_MAX)
		return NULL;
	s = cell_new(sizeof(*s) + len);
	if (!s)
		return NULL;
	s->app = p->src;
	s->target = p->dst;
	s->seq = packet_get32(tcp + 4);
	s->len = (uint16_t)len;
	s->l4 = (uint16_t)p->l4;
	memcpy(s->bytes, slice_data(&p->ip), len);
	return s;
}

/* Is there a place for one more? */
static bool admit(const struct packet *p)
{
	uint32_t half_open = stack.counters.held_syn + stack.half_opens;

	if (half_open < HALF_OPEN_FRESH)
		return true;
	if (!list_empty(&stack.half_open)) {
		struct stack_conn *oldest = container_of(stack.half_open.next, struct stack_conn, linger);

		if (loop_now() - oldest->active_ms >= ANSWER_MS) {
			stack_conn_evict(oldest);
			return true;
		}
	}
	return stack_gate_pass(p) && half_open < HALF_OPEN_MAX;
}

static struct stack_conn *hold(const struct packet *p)
{
	struct stack_conn *c;
	struct stack_syn *s;
	struct stack_source *source;

	if (!admit(p) || !(source = source_get(&p->src))) {
		stack.counters.syn_limit++;
		return NULL;
	}
	s = syn_new(p);
	c = s ? stack_conn_new() : NULL;
	if (!c) {
		cell_free(s);
		source_put(source);
		return NULL;
	}
	s->conn = c;
	c->syn = s;
	c->source = source;
	hash_insert(&syns, &s->node, hash_pair(&p->src, &p->dst));
	stack.counters.held_syn++;
	return c;
}

void stack_held_forget(struct stack_conn *c)
{
	struct stack_syn *s = c->syn;

	if (!s)
		return;
	c->syn = NULL;
	hash_remove(&syns, &s->node);
	cell_free(s);
	stack.counters.held_syn--;
}

void stack_held_release(struct stack_conn *c)
{
	if (c->source)
		source_put(c->source);
	c->source = NULL;
}

static void give_up(struct stack_conn *c)
{
	stack_held_forget(c);
	c->why = END_CLIENT_RESET;
	c->failed = true;
	stack_mark_dirty(c);
}

void stack_held_syn(const struct packet *p)
{
	struct stack_syn *old = find(p);
	struct target target;
	struct stack_conn *c;

	if (old) {
		if (old->seq != packet_get32(packet_l4(p) + 4))
			give_up(old->conn);
		return;
	}
	c = hold(p);
	if (!c)
		return;
	stack.counters.opened++;
	target_from_addr(&target, &p->dst);
	stack.events->stream(stack.owner, &c->stream, &p->src, &target);
}

bool stack_held_reset(const struct packet *p)
{
	struct stack_syn *s = find(p);

	if (!s)
		return false;
	/* A RST to a SYN_SENT of its own making carries the next number. */
	if (packet_get32(packet_l4(p) + 4) - s->seq <= 1)
		give_up(s->conn);
	return true;
}

void stack_held_accept(struct stack_conn *c)
{
	struct stack_syn *s = c->syn;
	struct tcp_pcb *pcb = stack_port_open(c, &s->app, &s->target, s->bytes + s->l4, s->len - s->l4);

	stack_held_forget(c);
	if (pcb) {
		stack_conn_attach(c, pcb);
		return;
	}
	c->why = END_LIMIT;
	c->failed = true;
}

/* ---- refusing ---- */

/* The kept headers as a packet again, for the ICMP error that quotes them. */
static void send_icmp(struct stack_syn *s, enum icmp_reason reason)
{
	struct buf b = { .refs = 1, .size = s->len, .data = s->bytes };
	struct packet p = {
		.version = s->app.family == AF_INET ? 4 : 6,
		.proto = IPPROTO_TCP,
		.src = s->app,
		.dst = s->target,
		.ip = { .buf = &b, .off = 0, .len = s->len },
		.l4 = s->l4,
		.l4_csum_ok = true,
	};

	icmp_send_unreachable(stack.tun, &p, reason, 0);
}

void stack_held_refuse(struct stack_conn *c, enum flow_end why)
{
	struct stack_syn *s = c->syn;

	stack.counters.refused++;
	switch (why) {
	case END_NET_UNREACHABLE:
		send_icmp(s, ICMP_NET_UNREACHABLE);
		break;
	case END_UNREACHABLE:
	case END_CONNECT_TIMEOUT: /* the native network would say so after its own patience */
		send_icmp(s, ICMP_HOST_UNREACHABLE);
		break;
	case END_DENIED:
		send_icmp(s, ICMP_ADMIN_PROHIBITED);
		break;
	default:
		stack_port_reset(&s->app, &s->target, 0, s->seq + 1);
	}
	stack_held_forget(c);
}

int stack_held_init(void)
{
	int err = hash_init(&syns);

	if (err)
		return err;
	err = hash_init(&sources);
	if (err)
		hash_free(&syns);
	return err;
}

void stack_held_free(void)
{
	hash_free(&syns);
	hash_free(&sources);
}
