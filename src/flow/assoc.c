/*
 * The UDP association table.
 *
 * Theory of operation. An association is a key of the inbound (an app's
 * source, a client's address or session) and one outbound port that serves it
 * alone, so every remote that answers that port answers the key: endpoint-
 * independent mapping and filtering. A batch from the inbound is grouped by
 * association and each group goes out with one send(); a batch from a port
 * goes back with the key filled in and the remote as it was. What a port says
 * went nowhere is told the inbound in the same way.
 *
 * An association stands in one of three classes, each with its idle time:
 * NAMES (all traffic so far went to port 53), NEW (nothing came back yet) and
 * LIVE. Each class is a list in order of last use, so expiry looks at three
 * list heads once a second, and only while there are associations.
 *
 * At the cap somebody must go. A flood of new sources must not push out flows
 * that work, and working flows must not keep new ones from ever beginning: NEW
 * and NAMES go first while they hold more than an eighth of the table, else
 * the least recently used of all.
 *
 * Whoever leaves is marked and freed in the deferred pass: the batch that made
 * it leave may still hold datagrams of it. The table knows neither what the
 * inbound is nor what the outbound does.
 */
#include "flow/assoc.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/hash.h"
#include "base/log.h"
#include "flow/flow_card.h"
#include "loop/loop.h"

#define SWEEP_MS 1000
#define NAMES_PORT 53
#define MAX_FLOOR 16
#define TRIM_PEAK 256

enum assoc_class { CLASS_NEW, CLASS_NAMES, CLASS_LIVE, CLASSES };

struct assoc {
	struct hash_node node;
	struct list use; /* in the list of its class, or of the dead */
	struct assoc_table *table;
	struct assoc_key key;
	struct datagram_port *port;
	struct limits_flow *limit; /* or NULL */
	uint64_t last_ms;
	uint8_t class;
	bool names_only, replied, dead;
	struct flow_card card; /* last: the first target's name follows */
};

struct assoc_table {
	struct hash associations;
	struct list classes[CLASSES], dead;
	uint32_t counts[CLASSES];
	uint32_t idle_ms[CLASSES];
	uint32_t max, peak;
	struct datagram_port *in;
	struct outbound *out;
	enum flow_end (*open_limit)(void *owner, const struct assoc_key *, struct limits_flow **); /* or NULL */
	void *limit_owner;
	struct loop_timer sweep;
	struct loop_work free_work;
};

/* ---- the table ---- */

static uint64_t key_hash(const struct assoc_key *k)
{
	/* Field by field: the struct has padding. */
	struct {
		uint64_t session;
		uint8_t ip[16];
		uint16_t port, family;
		uint32_t zero;
	} flat = { .session = k->session, .port = k->addr.port, .family = k->addr.family };

	memcpy(flat.ip, k->addr.ip.bytes, addr_ip_len(&k->addr));
	return hash_bytes(&flat, sizeof(flat));
}

static bool key_equal(const struct assoc_key *a, const struct assoc_key *b)
{
	return a->session == b->session && addr_equal(&a->addr, &b->addr);
}

static struct assoc *find(const struct assoc_table *t, const struct assoc_key *key, uint64_t hash)
{
	for (struct hash_node *n = hash_first(&t->associations, hash); n; n = hash_next(n, hash)) {
		struct assoc *a = container_of(n, struct assoc, node);
		if (key_equal(&a->key, key))
			return a;
	}
	return NULL;
}

static void enter_class(struct assoc *a, enum assoc_class class)
{
	a->class = (uint8_t)class;
	a->table->counts[class]++;
	list_append(&a->table->classes[class], &a->use);
}

static void leave_class(struct assoc *a)
{
	a->table->counts[a->class]--;
	list_remove(&a->use);
}

static void touch(struct assoc *a)
{
	enum assoc_class class = a->names_only ? CLASS_NAMES : a->replied ? CLASS_LIVE : CLASS_NEW;
	uint64_t now = loop_now();

	if (class != a->class) {
		leave_class(a);
		enter_class(a, class);
	} else if (a->last_ms != now) {
		list_move_last(&a->table->classes[class], &a->use);
	}
	a->last_ms = now;
	flow_meter_touch(&a->card.meter, now);
}

/* ---- the end of an association ---- */

static void free_dead(struct loop_work *w)
{
	struct assoc_table *t = container_of(w, struct assoc_table, free_work);

	while (!list_empty(&t->dead)) {
		struct assoc *a = container_of(t->dead.next, struct assoc, use);
		list_remove(&a->use);
		free(a);
	}
}

static void end_assoc(struct assoc *a, enum flow_end why)
{
	struct assoc_table *t = a->table;
	char text[ADDR_STRLEN];

	log_debug("udp association ended flow=%llu source=%s session=%016llx end=%s", (unsigned long long)a->card.number,
		  addr_format(&a->key.addr, text), (unsigned long long)a->key.session, flow_end_name(why));
	hash_remove(&t->associations, &a->node);
	flow_card_close(&a->card);
	leave_class(a);
	a->dead = true;
	list_append(&t->dead, &a->use);
	loop_defer(&t->free_work, free_dead);
	datagram_end(a->port, why);
	limits_close(a->limit);
	if (t->in->ops->forget)
		t->in->ops->forget(t->in, &a->key);
	flow_counters.udp.sessions_active--;
	if (why == END_IDLE)
		flow_counters.udp.session_timeouts++;
	else if (why == END_EVICTED)
		flow_counters.udp.evicted++;
}

static struct assoc *oldest(struct assoc_table *t, enum assoc_class class)
{
	return list_empty(&t->classes[class]) ? NULL : container_of(t->classes[class].next, struct assoc, use);
}

static struct assoc *choose_victim(struct assoc_table *t)
{
	struct assoc *victim = NULL;

	for (int c = CLASS_NEW; c <= CLASS_NAMES; c++)
		if (t->counts[c] > t->max / 8)
			return oldest(t, (enum assoc_class)c);
	for (int c = 0; c < CLASSES; c++) {
		struct assoc *a = oldest(t, (enum assoc_class)c);
		if (a && (!victim || a->last_ms < victim->last_ms))
			victim = a;
	}
	return victim;
}

static void evict_one(struct assoc_table *t)
{
	log_info("udp associations are at their limit of %u: the least recently used makes room", t->max);
	end_assoc(choose_victim(t), END_EVICTED);
}

/* After a flood the table is wide and the heap full of holes that malloc keeps. */
static void return_memory(struct assoc_table *t)
{
	if (t->associations.count > t->peak)
		t->peak = (uint32_t)t->associations.count;
	if (t->associations.count && (t->peak < TRIM_PEAK || t->associations.count > t->peak / 4))
		return;
	hash_settle(&t->associations);
	if (t->peak >= TRIM_PEAK)
		malloc_trim(0);
	t->peak = (uint32_t)t->associations.count;
}

static void on_sweep(struct loop_timer *timer)
{
	struct assoc_table *t = container_of(timer, struct assoc_table, sweep);
	uint64_t now = loop_now();

	for (int c = 0; c < CLASSES; c++) {
		struct assoc *a;
		while ((a = oldest(t, (enum assoc_class)c)) && now - a->last_ms >= t->idle_ms[c])
			end_assoc(a, END_IDLE);
	}
	return_memory(t);
	if (t->associations.count)
		loop_timer_start(&t->sweep, SWEEP_MS, on_sweep);
}

/* ---- limits ---- */

/* Drops and counts what is over the rate. True: it passes. */
static bool passes(struct assoc *a, const struct datagram *d)
{
	if (!a->limit || limits_pass(a->limit, d->payload.len))
		return true;
	flow_counters.udp.dropped_rate += datagrams_in(d);
	return false;
}

/* ---- replies: outbound to inbound ---- */

static void on_replies(void *owner, const struct datagram *batch, int n)
{
	struct assoc *a = owner;
	struct datagram back[DATAGRAM_BATCH];

	if (a->dead)
		return;
	for (int at = 0; at < n; at += DATAGRAM_BATCH) {
		int part = n - at < DATAGRAM_BATCH ? n - at : DATAGRAM_BATCH, count = 0;

		for (int i = 0; i < part; i++) {
			if (!passes(a, &batch[at + i]))
				continue;
			back[count] = batch[at + i];
			back[count].key = a->key;
			flow_counters.udp.packets_down += datagrams_in(&back[count]);
			flow_counters.udp.bytes_down += back[count].payload.len;
			a->card.meter.down += back[count].payload.len;
			count++;
		}
		if (count)
			datagram_send(a->table->in, back, count);
	}
	a->replied = true;
	touch(a);
}

static void on_port_ended(void *owner, enum flow_end why)
{
	struct assoc *a = owner;

	if (!a->dead)
		end_assoc(a, why);
}

static void on_refused(void *owner, const struct target *remote, enum flow_end why)
{
	struct assoc *a = owner;
	struct datagram_port *in = a->table->in;
	struct datagram d = { .key = a->key, .remote = remote };

	if (!a->dead && in->ops->refuse)
		in->ops->refuse(in, &d, why);
}

static const struct datagram_events port_events = { on_replies, on_port_ended, on_refused };

/* ---- the card ---- */

static const struct assoc *of_card(const struct flow_card *c)
{
	return container_of(c, struct assoc, card);
}

static const char *card_state(const struct flow_card *c, uint64_t *active_ms)
{
	static const char *const words[] = { [CLASS_NEW] = "unreplied", [CLASS_NAMES] = "dns", [CLASS_LIVE] = "open" };

	*active_ms = of_card(c)->last_ms;
	return words[of_card(c)->class];
}

static void card_way(const struct flow_card *c, char out[FLOW_WAY_SIZE])
{
	const struct datagram_port *port = of_card(c)->port;

	if (port->ops->way)
		flow_way_copy(out, port->ops->way(port));
	else
		flow_way_copy(out, c->way);
}

static void card_end(struct flow_card *c, enum flow_end why)
{
	end_assoc(container_of(c, struct assoc, card), why);
}

static const struct flow_card_ops card_ops = { .protocol = "udp", .state = card_state, .way = card_way, .end = card_end };

/* ---- from the inbound ---- */

static struct assoc *open_assoc(struct assoc_table *t, const struct datagram *d, uint64_t hash)
{
	struct limits_flow *limit = NULL;
	char text[ADDR_STRLEN];
	struct assoc *a;

	if (t->open_limit && t->open_limit(t->limit_owner, &d->key, &limit) != END_DONE)
		return NULL;
	if (t->associations.count >= t->max)
		evict_one(t);
	a = calloc(1, sizeof(*a) + flow_card_size(d->remote));
	if (a)
		a->port = outbound_port(t->out, &d->key.addr);
	if (!a || !a->port) {
		limits_close(limit);
		free(a);
		return NULL;
	}
	datagram_bind(a->port, &port_events, a);
	a->limit = limit;
	a->table = t;
	a->key = d->key;
	a->last_ms = loop_now();
	a->names_only = true;
	flow_card_open(&a->card, &card_ops, &a->key.addr, d->remote, a->last_ms);
	flow_card_set_way(&a->card, outbound_way(t->out));
	list_init(&a->use);
	enter_class(a, CLASS_NEW);
	hash_insert(&t->associations, &a->node, hash);
	flow_counters.udp.sessions_active++;
	flow_counters.udp.sessions_opened++;
	log_debug("udp association opened flow=%llu source=%s session=%016llx", (unsigned long long)a->card.number,
		  addr_format(&a->key.addr, text), (unsigned long long)a->key.session);
	if (!loop_timer_armed(&t->sweep))
		loop_timer_start(&t->sweep, SWEEP_MS, on_sweep);
	return a;
}

/* The association of d, made if need be; NULL: refused, and the inbound knows. */
static struct assoc *assoc_for(struct assoc_table *t, const struct datagram *d)
{
	uint64_t hash = key_hash(&d->key);
	struct assoc *a = find(t, &d->key, hash);

	if (!a)
		a = open_assoc(t, d, hash);
	if (!a) {
		flow_counters.udp.dropped_limit += datagrams_in(d);
		if (t->in->ops->refuse)
			t->in->ops->refuse(t->in, d, END_LIMIT);
	}
	return a;
}

static void send_all(struct assoc *a, const struct datagram *d, int n)
{
	for (int i = 0; i < n; i++) {
		flow_counters.udp.packets_up += datagrams_in(&d[i]);
		flow_counters.udp.bytes_up += d[i].payload.len;
		a->card.meter.up += d[i].payload.len;
		a->names_only &= target_port(d[i].remote) == NAMES_PORT;
	}
	touch(a);
	datagram_send(a->port, d, n);
}

static void send_within_rate(struct assoc *a, const struct datagram *d, int n)
{
	struct datagram left[DATAGRAM_BATCH];
	int count = 0;

	for (int i = 0; i < n; i++)
		if (passes(a, &d[i]))
			left[count++] = d[i];
	if (count)
		send_all(a, left, count);
}

static void send_group(struct assoc *a, const struct datagram *d, int n)
{
	if (a->dead)
		return;
	if (a->limit)
		send_within_rate(a, d, n);
	else
		send_all(a, d, n);
}

/* Sends what belongs to `whose` from i on, in order, and blanks it. */
static void send_scattered(struct assoc **whose, const struct datagram *batch, int i, int n)
{
	struct datagram group[DATAGRAM_BATCH];
	struct assoc *a = whose[i];
	int count = 0;

	for (int j = i; j < n; j++) {
		if (whose[j] != a)
			continue;
		group[count++] = batch[j];
		whose[j] = NULL;
	}
	send_group(a, group, count);
}

static void dispatch(struct assoc_table *t, const struct datagram *batch, int n)
{
	struct assoc *whose[DATAGRAM_BATCH];
	bool all_same = true;

	whose[0] = assoc_for(t, &batch[0]);
	for (int i = 1; i < n; i++) {
		bool same = whose[i - 1] && !whose[i - 1]->dead && key_equal(&batch[i].key, &batch[i - 1].key);

		whose[i] = same ? whose[i - 1] : assoc_for(t, &batch[i]);
		all_same &= whose[i] == whose[0];
	}
	if (all_same && whose[0]) {
		send_group(whose[0], batch, n);
		return;
	}
	for (int i = 0; i < n; i++)
		if (whose[i])
			send_scattered(whose, batch, i, n);
}

static void on_batch(void *owner, const struct datagram *batch, int n)
{
	for (int at = 0; at < n; at += DATAGRAM_BATCH)
		dispatch(owner, batch + at, n - at < DATAGRAM_BATCH ? n - at : DATAGRAM_BATCH);
}

static void on_inbound_ended(void *owner, enum flow_end why)
{
	struct assoc_table *t = owner;

	for (int c = 0; c < CLASSES; c++)
		while (!list_empty(&t->classes[c]))
			end_assoc(oldest(t, (enum assoc_class)c), why);
}

static const struct datagram_events inbound_events = { on_batch, on_inbound_ended, NULL };

/* ---- life ---- */

/* What the inbound hears when the table is gone and it is not yet: nothing is served. */
static void on_orphan_batch(void *owner, const struct datagram *batch, int n)
{
	(void)owner, (void)batch, (void)n;
}

static void on_orphan_ended(void *owner, enum flow_end why)
{
	(void)owner, (void)why;
}

static const struct datagram_events orphan_events = { on_orphan_batch, on_orphan_ended, NULL };

static uint32_t max_from_nofile(void)
{
	struct rlimit r;
	uint64_t half = getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur != RLIM_INFINITY ? r.rlim_cur / 2 : 65536;

	return half < MAX_FLOOR ? MAX_FLOOR : half > UINT32_MAX ? UINT32_MAX : (uint32_t)half;
}

static uint32_t to_ms(uint32_t seconds, uint32_t fallback)
{
	uint64_t ms = (uint64_t)(seconds ? seconds : fallback) * 1000;

	return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

void assoc_table_set_limits(struct assoc_table *t, const struct assoc_limits *l)
{
	t->idle_ms[CLASS_LIVE] = to_ms(l->idle_s, 300);
	t->idle_ms[CLASS_NEW] = to_ms(l->unreplied_s, 30);
	t->idle_ms[CLASS_NAMES] = to_ms(l->dns_s, 10);
	t->max = l->max ? l->max : max_from_nofile();
}

struct assoc_table *assoc_table_new(struct datagram_port *in, struct outbound *out, const struct assoc_limits *l)
{
	struct assoc_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	if (hash_init(&t->associations) != 0) {
		free(t);
		return NULL;
	}
	for (int c = 0; c < CLASSES; c++)
		list_init(&t->classes[c]);
	list_init(&t->dead);
	assoc_table_set_limits(t, l);
	t->in = in;
	t->out = out;
	datagram_bind(in, &inbound_events, t);
	return t;
}

void assoc_table_limit(struct assoc_table *t, enum flow_end (*open)(void *owner, const struct assoc_key *, struct limits_flow **),
		       void *owner)
{
	t->open_limit = open;
	t->limit_owner = owner;
}

void assoc_table_end(struct assoc_table *t, const struct assoc_key *key, enum flow_end why)
{
	struct assoc *a = find(t, key, key_hash(key));

	if (a)
		end_assoc(a, why);
}

void assoc_table_set_out(struct assoc_table *t, struct outbound *out)
{
	t->out = out;
}

void assoc_table_free(struct assoc_table *t)
{
	on_inbound_ended(t, END_SHUTDOWN);
	datagram_bind(t->in, &orphan_events, NULL);
	loop_timer_stop(&t->sweep);
	loop_defer_cancel(&t->free_work);
	free_dead(&t->free_work);
	hash_free(&t->associations);
	free(t);
}
