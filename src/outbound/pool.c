/*
 * The pool: its members, what is known of them, who is chosen.
 *
 * What can be tried again. Until a connect stands (pool_dial.c) nothing of the
 * app's has left this machine, so the next server may be asked and the app sees
 * nothing but time. Once it stands the first bytes travel with the header, and a
 * server that resets then may have passed them on: a second try could carry out
 * a request twice, so the app gets the reset. Nor is that counted against the
 * server: Shadowsocks has no other way to say that the target is closed. UDP
 * (pool_port.c) promises nothing, so an association moves on its next packet.
 *
 * Members are counted references: a reload replaces them while dials and ports
 * of theirs live. The last to let go frees the outbound behind it, which itself
 * lives on until its last flow has ended.
 */
#include "outbound/pool.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "crypto/random.h"
#include "outbound/pool_impl.h"

/* ---- members ---- */

struct pool_member *pool_member_hold(struct pool_member *m)
{
	m->refs++;
	return m;
}

static void forget_member(struct pool_member *m)
{
	free(m->address);
	free(m);
}

static void free_member(struct loop_work *w)
{
	struct pool_member *m = container_of(w, struct pool_member, free_work);

	m->outbound->ops->free(m->outbound);
	forget_member(m);
}

/* In the deferred pass: the outbound may be what is telling us right now. */
void pool_member_release(struct pool_member *m)
{
	if (--m->refs == 0)
		loop_defer(&m->free_work, free_member);
}

/* The same in every worker and after every restart, unlike base/hash. */
static uint64_t stable_hash(const void *data, size_t len)
{
	static const uint8_t key[crypto_shorthash_KEYBYTES];
	uint64_t out;

	crypto_shorthash((uint8_t *)&out, data, len, key);
	return out;
}

static struct pool_member *member_new(const struct pool_member_options *o)
{
	struct pool_member *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->address = strdup(o->address);
	if (!m->address) {
		free(m);
		return NULL;
	}
	m->outbound = o->outbound;
	m->weight[POOL_TCP] = o->tcp_weight;
	m->weight[POOL_UDP] = o->udp_weight;
	m->name_hash = stable_hash(o->address, strlen(o->address));
	m->refs = 1;
	return m;
}

/* Who holds it may have yet to ask it: a dial that began before a reload tries
 * the servers that it was given. */
static void member_retire(struct pool_member *m)
{
	pool_probe_stop(m);
	if (--m->refs == 0)
		free_member(&m->free_work);
}

/* What is known of the same server, from before a reload. */
static void inherit(struct pool_member *m, const struct pool *from)
{
	for (int i = 0; i < from->n; i++) {
		const struct pool_member *old = from->members[i];

		if (strcmp(old->address, m->address) != 0 || strcmp(old->outbound->name, m->outbound->name) != 0)
			continue;
		memcpy(m->stat, old->stat, sizeof(m->stat));
		m->base_up = old->base_up + old->outbound->seen.up;
		m->base_down = old->base_down + old->outbound->seen.down;
		return;
	}
}

/* ---- what is known ---- */

static const char *const kind_names[POOL_KINDS] = { "tcp", "udp" };

void pool_member_succeeded(struct pool_member *m, enum pool_kind kind, uint32_t rtt_ms)
{
	if (m->stat[kind].failures && m->pool->n > 1)
		log_info("server %s works again for %s address=%s", m->outbound->name, kind_names[kind], m->address);
	pool_stat_success(&m->stat[kind], rtt_ms);
}

void pool_member_failed(struct pool_member *m, enum pool_kind kind)
{
	if (!m->stat[kind].failures && m->pool->n > 1)
		log_warn("server %s fails for %s: new flows go to others address=%s", m->outbound->name, kind_names[kind], m->address);
	pool_stat_failure(&m->stat[kind], loop_now());
}

void pool_member_probed(struct pool_member *m, enum pool_kind kind, uint32_t rtt_ms)
{
	if (rtt_ms == POOL_PROBE_FAILED)
		pool_member_failed(m, kind);
	else
		pool_member_succeeded(m, kind, rtt_ms);
	pool_stat_probe(&m->stat[kind], rtt_ms);
}

/* ---- the choice ---- */

static uint64_t sticky_hash(const struct addr *client, const struct pool_member *m)
{
	struct {
		uint8_t ip[16];
		uint64_t name;
	} both = { .name = m->name_hash };

	if (client)
		memcpy(both.ip, client->ip.bytes, addr_ip_len(client));
	return stable_hash(&both, sizeof(both));
}

/* Of UDP nothing may be known yet: then what TCP met is the better guess. */
static const struct pool_stat *stat_of(const struct pool_member *m, enum pool_kind kind)
{
	const struct pool_stat *s = &m->stat[kind];

	return kind == POOL_UDP && !s->proven && !s->failed && m->weight[POOL_TCP] && !s->n_probes ? &m->stat[POOL_TCP] : s;
}

int pool_choose(struct pool *p, enum pool_kind kind, const struct addr *client, struct pool_member **out)
{
	struct pool_choice choice = { p->options.policy, p->options.max_rtt_ms, loop_now(), random_below };
	struct pool_candidate candidates[p->n];
	struct pool_member *able[p->n];
	uint16_t order[p->n];
	int n = 0;

	for (int i = 0; i < p->n; i++) {
		struct pool_member *m = p->members[i];

		if (!m->weight[kind])
			continue;
		able[n] = m;
		candidates[n++] = (struct pool_candidate){ stat_of(m, kind), sticky_hash(client, m), m->weight[kind], m == p->best[kind] };
	}
	pool_order(&choice, candidates, n, order);
	for (int i = 0; i < n; i++)
		out[i] = able[order[i]];
	p->best[kind] = n ? out[0] : NULL;
	return n;
}

/* ---- life ---- */

static struct pool *of(const struct outbound *o)
{
	return container_of(o, struct pool, outbound);
}

static void retire_members(struct pool *p)
{
	for (int i = 0; i < p->n; i++)
		member_retire(p->members[i]);
	free(p->members);
	p->members = NULL;
	p->n = 0;
	memset(p->best, 0, sizeof(p->best));
}

static void pool_free(struct outbound *o)
{
	struct pool *p = of(o);

	retire_members(p);
	free(p->probe_path);
	free(p);
}

static struct dial *connect_anyone(struct outbound *o, const struct target *t, const struct dial_events *events, void *owner)
{
	return pool_connect(o, NULL, t, events, owner);
}

static struct datagram_port *port_of_anyone(struct outbound *o)
{
	return pool_port(o, NULL);
}

static const struct outbound_ops pool_ops = {
	.connect = connect_anyone,
	.cancel = pool_cancel,
	.port = port_of_anyone,
	.free = pool_free,
	.connect_from = pool_connect,
	.port_from = pool_port,
};

/* ---- other members ---- */

struct pool_change {
	struct pool_options options;
	char *probe_path;
	struct pool_member **members;
	int n;
};

static void forget_change(struct pool_change *c, bool outbounds)
{
	for (int i = 0; i < c->n; i++) {
		if (outbounds)
			c->members[i]->outbound->ops->free(c->members[i]->outbound);
		forget_member(c->members[i]);
	}
	free(c->members);
	free(c->probe_path);
	free(c);
}

struct pool_change *pool_prepare(const struct pool_options *o, const struct pool_member_options *members, int n)
{
	struct pool_change *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->options = *o;
	c->options.probe_path = c->probe_path = strdup(o->probe_path ? o->probe_path : "/");
	c->members = calloc((size_t)n, sizeof(*c->members));
	for (; c->members && c->n < n; c->n++) {
		c->members[c->n] = member_new(&members[c->n]);
		if (!c->members[c->n])
			break;
	}
	if (c->probe_path && c->n == n)
		return c;
	forget_change(c, false); /* their outbounds stay the caller's */
	return NULL;
}

void pool_withdraw(struct pool_change *c)
{
	if (c)
		forget_change(c, true);
}

void pool_apply(struct outbound *out, struct pool_change *c)
{
	struct pool *p = of(out), old = *p;

	p->options = c->options;
	p->probe_path = c->probe_path;
	p->members = c->members;
	p->n = c->n;
	free(c);
	for (int i = 0; i < p->n; i++) {
		p->members[i]->pool = p;
		inherit(p->members[i], &old);
	}
	retire_members(&old);
	free(old.probe_path);
	memset(p->best, 0, sizeof(p->best));
	for (int i = 0; i < p->n; i++)
		pool_probe_start(p->members[i]);
}

struct outbound *pool_new(struct pool_change *c)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p) {
		pool_withdraw(c);
		return NULL;
	}
	p->outbound.ops = &pool_ops;
	p->outbound.name = "pool";
	pool_apply(&p->outbound, c);
	return &p->outbound;
}

/* ---- status ---- */

static const char *state_of(const struct pool_member *m)
{
	bool proven = false;

	for (int k = 0; k < POOL_KINDS; k++) {
		if (m->weight[k] && m->stat[k].failures)
			return "down";
		proven |= m->stat[k].proven;
	}
	return proven ? "up" : "unknown";
}

static int32_t rtt_of(const struct pool_stat *s)
{
	return s->proven ? (int32_t)s->rtt_ms : -1;
}

static double score_of(const struct pool_member *m, enum pool_kind kind)
{
	return m->weight[kind] ? pool_stat_score(&m->stat[kind], m->pool->options.max_rtt_ms, m->weight[kind]) : -1;
}

bool outbound_pool_status(const struct outbound *out, int i, struct outbound_pool_status *s)
{
	const struct pool *p = of(out);
	const struct pool_member *m;

	if (i < 0 || i >= p->n)
		return false;
	m = p->members[i];
	*s = (struct outbound_pool_status){
		.name = m->outbound->name,
		.address = m->address,
		.state = state_of(m),
		.tcp_failures = m->stat[POOL_TCP].failures,
		.udp_failures = m->stat[POOL_UDP].failures,
		.tcp_rtt_ms = rtt_of(&m->stat[POOL_TCP]),
		.udp_rtt_ms = rtt_of(&m->stat[POOL_UDP]),
		.tcp_score = score_of(m, POOL_TCP),
		.udp_score = score_of(m, POOL_UDP),
		.tcp = m->weight[POOL_TCP],
		.udp = m->weight[POOL_UDP],
		.up = m->base_up + m->outbound->seen.up,
		.down = m->base_down + m->outbound->seen.down,
		.skew = m->outbound->seen.skew,
		.path_limit = m->outbound->seen.path_limit,
	};
	return true;
}
