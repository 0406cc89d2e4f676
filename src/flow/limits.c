/*
 * Limits per client and per user.
 *
 * Theory of operation. A client (an IPv4 address, or the /64 of an IPv6 one: who
 * has one address there has them all) and a user each have an account. An
 * account holds two token buckets (bytes, new flows) that fill with monotonic
 * time, and the count of its flows. A flow belongs to one or two accounts and
 * passes where both let it.
 *
 * Bytes of TCP are held back, never buffered: what may not pass is not taken
 * from the stream that offers it, so its window closes. A direction that must
 * wait stands in its account's queue, and one timer for all gives turns in the
 * order of the queue, one for each quantum that there is, and each worth its part
 * of all: every flow of an account gets the same share however much it offers. Having a
 * turn at one account it may have to queue at the other, and keeps its turn.
 *
 * Bytes of UDP cannot wait: a datagram passes if there are tokens (it may leave
 * a debt) and is dropped if not. While flows of TCP queue, datagrams get what
 * these have got, so neither starves the other.
 *
 *	bytes	a quarter of a second's worth may pass at once (16 KiB at least)
 *	flows	five seconds' worth may begin at once
 *
 * Accounts without flows are kept until their buckets are full again, when they
 * say nothing any more, or until ACCOUNTS_MAX, the least recently used first. So
 * memory is bounded by the flows that stand. Each process has its own.
 *
 * It does not know what a stream or a datagram is, nor who asks.
 */
#include "flow/limits.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/list.h"
#include "flow/counters.h"
#include "flow/token_bucket.h"
#include "loop/loop.h"

#define ACCOUNTS_MAX 65536
#define SWEEP_MS 10000
#define TURN_MS 5	 /* at least between turns */
#define TURN_MAX_MS 1000 /* at most: rates may change meanwhile */
#define QUANTUM_MIN 1500
#define QUANTUM_MAX 65536
#define DEPTH_MIN 16384

enum { CLIENT, USER, KINDS };

struct account_key {
	uint8_t kind;
	uint8_t id[17]; /* family and address, or the user's number */
};

struct account {
	struct hash_node node;
	struct list idle;    /* in limits.idle while it has no flows */
	struct list busy;    /* in limits.busy while somebody waits */
	struct list waiting; /* taps */
	struct limits *limits;
	struct account_key key;
	struct token_bucket bytes, starts;
	uint32_t flows;
	uint32_t own_bytes_per_s, own_flows_per_s; /* of a user with limits of his own */
	uint64_t turn_ms;  /* when the last turn was given, */
	int64_t share;	   /* and what each who got one may take */
	int64_t datagrams; /* bytes that datagrams may have while it is contended */
};

/* One direction of a flow. */
struct tap {
	struct list node; /* in the queue of an account, */
	struct account *at; /* this one, while it waits */
	bool turn[KINDS]; /* it waited here, and it is its turn */
	uint8_t direction;
};

struct limits_flow {
	struct account *accounts[KINDS]; /* or NULL */
	struct limits *limits;
	struct tap taps[2];
	void (*resume)(void *owner, int direction);
	void *owner;
};

struct limits {
	struct limits_rates rates;
	struct hash accounts;
	struct list idle, busy;
	struct loop_timer sweep, turns;
	uint32_t flows;
	bool gone; /* limits_free() was called */
};

/* ---- accounts ---- */

static struct account_key client_key(const struct addr *a)
{
	struct account_key k = { .kind = CLIENT };

	k.id[0] = (uint8_t)a->family;
	memcpy(k.id + 1, a->ip.bytes, a->family == AF_INET6 ? 8 : 4);
	return k;
}

static struct account_key user_key(uint64_t user)
{
	struct account_key k = { .kind = USER };

	memcpy(k.id, &user, sizeof(user));
	return k;
}

static struct account *find(const struct limits *l, const struct account_key *k)
{
	uint64_t value = hash_bytes(k, sizeof(*k));

	for (struct hash_node *n = hash_first(&l->accounts, value); n; n = hash_next(n, value)) {
		struct account *a = container_of(n, struct account, node);
		if (memcmp(&a->key, k, sizeof(*k)) == 0)
			return a;
	}
	return NULL;
}

static void forget(struct account *a)
{
	hash_remove(&a->limits->accounts, &a->node);
	list_remove(&a->idle);
	free(a);
}

static uint32_t first_of(uint32_t own, uint32_t everybody)
{
	return own ? own : everybody;
}

static void set_rates(struct account *a)
{
	const struct limits_rates *r = &a->limits->rates;
	bool user = a->key.kind == USER;
	uint32_t bytes = user ? first_of(a->own_bytes_per_s, r->user_bytes_per_s) : r->client_bytes_per_s;
	uint32_t flows = user ? first_of(a->own_flows_per_s, r->user_flows_per_s) : r->client_flows_per_s;

	token_bucket_set(&a->bytes, bytes, bytes / 4 > DEPTH_MIN ? bytes / 4 : DEPTH_MIN, loop_now());
	token_bucket_set(&a->starts, flows, (uint64_t)flows * 5, loop_now());
}

static bool says_nothing(struct account *a)
{
	return token_bucket_full(&a->bytes, loop_now()) && token_bucket_full(&a->starts, loop_now());
}

static void on_sweep(struct loop_timer *t)
{
	struct limits *l = container_of(t, struct limits, sweep);

	list_for_each_safe (it, &l->idle) {
		struct account *a = container_of(it, struct account, idle);

		if (says_nothing(a))
			forget(a);
	}
	hash_settle(&l->accounts);
	if (!list_empty(&l->idle))
		loop_timer_start(t, SWEEP_MS, on_sweep);
}

static struct account *make(struct limits *l, const struct account_key *k)
{
	struct account *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	if (l->accounts.count >= ACCOUNTS_MAX && !list_empty(&l->idle))
		forget(container_of(l->idle.next, struct account, idle));
	a->limits = l;
	a->key = *k;
	list_init(&a->idle);
	list_init(&a->busy);
	list_init(&a->waiting);
	hash_insert(&l->accounts, &a->node, hash_bytes(k, sizeof(*k)));
	list_append(&l->idle, &a->idle);
	if (!loop_timer_armed(&l->sweep))
		loop_timer_start(&l->sweep, SWEEP_MS, on_sweep);
	return a;
}

/* The account of this key as this party has it; NULL: no memory. */
static struct account *account_of(struct limits *l, const struct account_key *k, const struct limits_party *p)
{
	struct account *a = find(l, k);
	bool fresh = !a;

	if (!a)
		a = make(l, k);
	if (!a)
		return NULL;
	if (fresh || (k->kind == USER &&
		      (a->own_bytes_per_s != p->user_bytes_per_s || a->own_flows_per_s != p->user_flows_per_s))) {
		a->own_bytes_per_s = k->kind == USER ? p->user_bytes_per_s : 0;
		a->own_flows_per_s = k->kind == USER ? p->user_flows_per_s : 0;
		set_rates(a);
	}
	return a;
}

/* ---- flows begin and end ---- */

static bool limits_clients(const struct limits_rates *r)
{
	return r->client_bytes_per_s || r->client_flows_per_s || r->client_flows;
}

static bool limits_users(const struct limits_rates *r, const struct limits_party *p)
{
	return p->has_user && (r->user_bytes_per_s || r->user_flows_per_s || p->user_bytes_per_s || p->user_flows_per_s);
}

/* The counter of why this account takes no more flows; NULL: it does. */
static uint64_t *full(struct account *a)
{
	uint32_t cap = a->key.kind == CLIENT ? a->limits->rates.client_flows : 0;

	if (cap && a->flows >= cap)
		return &flow_counters.limits.client_flows;
	if (token_bucket_level(&a->starts, loop_now()) > 0)
		return NULL;
	return a->key.kind == CLIENT ? &flow_counters.limits.client_flow_rate : &flow_counters.limits.user_flow_rate;
}

enum flow_end limits_admit(struct limits *l, const struct addr *client)
{
	struct account_key k;
	struct account *a;
	uint64_t *why;

	if (!l || !limits_clients(&l->rates))
		return END_DONE;
	k = client_key(client);
	a = find(l, &k);
	why = a ? full(a) : NULL;
	if (why)
		++*why;
	return why ? END_LIMIT : END_DONE;
}

static bool find_accounts(struct limits *l, const struct limits_party *p, struct account *out[KINDS])
{
	struct account_key client = client_key(&p->client), user = user_key(p->user);
	bool clients = limits_clients(&l->rates) && p->client.family, users = limits_users(&l->rates, p);

	out[CLIENT] = clients ? account_of(l, &client, p) : NULL;
	if (out[CLIENT] && !out[CLIENT]->flows) /* or making room for the other might forget it */
		list_move_last(&l->idle, &out[CLIENT]->idle);
	out[USER] = users ? account_of(l, &user, p) : NULL;
	return (!clients || out[CLIENT]) && (!users || out[USER]);
}

static void enter(struct account *a)
{
	token_bucket_take(&a->starts, 1);
	a->flows++;
	list_remove(&a->idle);
}

static void leave(struct account *a)
{
	struct limits *l = a->limits;

	if (--a->flows)
		return;
	list_append(&l->idle, &a->idle);
	if (!loop_timer_armed(&l->sweep))
		loop_timer_start(&l->sweep, SWEEP_MS, on_sweep);
}

static struct limits_flow *make_flow(struct limits *l, struct account *const accounts[KINDS])
{
	struct limits_flow *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->limits = l;
	l->flows++;
	for (int i = 0; i < 2; i++) {
		list_init(&f->taps[i].node);
		f->taps[i].direction = (uint8_t)i;
	}
	for (int k = 0; k < KINDS; k++) {
		f->accounts[k] = accounts[k];
		if (accounts[k])
			enter(accounts[k]);
	}
	return f;
}

enum flow_end limits_open(struct limits *l, const struct limits_party *p, struct limits_flow **flow)
{
	struct account *accounts[KINDS];
	uint64_t *why = NULL;

	*flow = NULL;
	if (!l || !(limits_clients(&l->rates) || limits_users(&l->rates, p)))
		return END_DONE;
	if (!find_accounts(l, p, accounts))
		return END_LIMIT;
	if (!accounts[CLIENT] && !accounts[USER])
		return END_DONE;
	for (int k = 0; k < KINDS && !why; k++)
		why = accounts[k] ? full(accounts[k]) : NULL;
	if (why) {
		++*why;
		return END_LIMIT;
	}
	*flow = make_flow(l, accounts);
	return *flow ? END_DONE : END_LIMIT;
}

/* ---- turns ---- */

static uint32_t quantum(const struct account *a)
{
	uint32_t q = a->bytes.rate / 50;

	return q < QUANTUM_MIN ? QUANTUM_MIN : q > QUANTUM_MAX ? QUANTUM_MAX : q;
}

static void on_turns(struct loop_timer *);

static void leave_queue(struct tap *t)
{
	struct account *a = t->at;

	if (!a)
		return;
	list_remove(&t->node);
	t->at = NULL;
	if (list_empty(&a->waiting))
		list_remove(&a->busy);
}

/* ahead: it had its turn already, and there was nothing to have. */
static void wait_at(struct tap *t, struct account *a, bool ahead)
{
	struct limits *l = a->limits;

	if (t->at == a)
		return;
	leave_queue(t);
	t->at = a;
	if (list_empty(&a->waiting)) {
		list_append(&l->busy, &a->busy);
		a->datagrams = quantum(a);
	}
	if (ahead)
		list_prepend(&a->waiting, &t->node);
	else
		list_append(&a->waiting, &t->node);
	if (!loop_timer_armed(&l->turns))
		loop_timer_start(&l->turns, TURN_MS, on_turns);
}

static struct limits_flow *flow_of(struct tap *t)
{
	return container_of(t, struct limits_flow, taps[t->direction]);
}

static void give_turn(struct tap *t, struct account *a)
{
	struct limits_flow *f = flow_of(t);

	leave_queue(t);
	t->turn[a->key.kind] = true;
	f->resume(f->owner, t->direction);
}

/* As many turns as there are quanta. Returns the milliseconds until there is another. */
static uint64_t give_turns(struct account *a)
{
	int64_t level = token_bucket_level(&a->bytes, loop_now()), q = quantum(a), given = 0, turns = 0;

	for (; !list_empty(&a->waiting) && (!a->bytes.rate || level - given >= q); given += q, turns++)
		give_turn(container_of(a->waiting.next, struct tap, node), a);
	if (turns) {
		a->turn_ms = loop_now();
		a->share = level / turns; /* more than a quantum where much was left over */
	}
	return list_empty(&a->waiting) ? TURN_MAX_MS : (uint64_t)(q - (level - given)) * 1000 / a->bytes.rate;
}

static void on_turns(struct loop_timer *timer)
{
	struct limits *l = container_of(timer, struct limits, turns);
	uint64_t next = TURN_MAX_MS;

	list_for_each_safe (it, &l->busy) {
		uint64_t ms = give_turns(container_of(it, struct account, busy));

		if (ms < next)
			next = ms;
	}
	if (!list_empty(&l->busy))
		loop_timer_start(timer, next < TURN_MS ? TURN_MS : next, on_turns);
}

/* ---- what passes ---- */

void limits_bind(struct limits_flow *f, void (*resume)(void *owner, int direction), void *owner)
{
	f->resume = resume;
	f->owner = owner;
}

/* What this account has for the tap; 0: it waits here now. */
static size_t ask_account(struct tap *t, struct account *a, size_t want)
{
	bool turn = t->turn[a->key.kind], contended = !list_empty(&a->waiting);
	int64_t level = token_bucket_level(&a->bytes, loop_now());

	if (level <= 0 || (contended && !turn)) {
		wait_at(t, a, turn);
		return 0;
	}
	if (turn && level > a->share)
		level = a->share;
	return (uint64_t)level < want ? (size_t)level : want;
}

/* Somebody waits, or has just been given a turn that he has not used yet. */
static bool is_contended(const struct account *a)
{
	return !list_empty(&a->waiting) || loop_now() - a->turn_ms <= 2 * TURN_MS;
}

static bool has_for_datagram(struct account *a)
{
	if (!a->bytes.rate)
		return true;
	return token_bucket_level(&a->bytes, loop_now()) > 0 && (!is_contended(a) || a->datagrams > 0);
}

static void match_for_datagrams(struct account *a, size_t bytes)
{
	int64_t most = (int64_t)a->bytes.depth / 2;

	a->datagrams += (int64_t)bytes;
	if (a->datagrams > most)
		a->datagrams = most;
}

size_t limits_ask(struct limits_flow *f, int direction, size_t want)
{
	struct tap *t = &f->taps[direction];
	struct account *narrow = NULL;
	size_t allowed = want;

	for (int k = 0; k < KINDS; k++) {
		struct account *a = f->accounts[k];
		size_t here = a && a->bytes.rate ? ask_account(t, a, allowed) : allowed;

		if (here < allowed)
			narrow = a;
		allowed = here;
		if (!allowed)
			return 0;
	}
	for (int k = 0; k < KINDS; k++) {
		if (t->turn[k])
			match_for_datagrams(f->accounts[k], allowed);
		t->turn[k] = false;
	}
	if (narrow)
		wait_at(t, narrow, false);
	else
		leave_queue(t);
	return allowed;
}

void limits_charge(struct limits_flow *f, size_t bytes)
{
	for (int k = 0; k < KINDS; k++)
		if (f->accounts[k])
			token_bucket_take(&f->accounts[k]->bytes, bytes);
}

bool limits_pass(struct limits_flow *f, size_t bytes)
{
	for (int k = 0; k < KINDS; k++)
		if (f->accounts[k] && !has_for_datagram(f->accounts[k]))
			return false;
	for (int k = 0; k < KINDS; k++)
		if (f->accounts[k])
			f->accounts[k]->datagrams -= (int64_t)bytes;
	limits_charge(f, bytes);
	return true;
}

/* ---- life ---- */

struct limits *limits_new(const struct limits_rates *r)
{
	struct limits *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->rates = *r;
	list_init(&l->idle);
	list_init(&l->busy);
	if (hash_init(&l->accounts) != 0) {
		free(l);
		return NULL;
	}
	return l;
}

void limits_set(struct limits *l, const struct limits_rates *r)
{
	l->rates = *r;
	hash_settle(&l->accounts);
	for (size_t i = 0; l->accounts.slots && i <= l->accounts.mask; i++)
		for (struct hash_node *n = l->accounts.slots[i]; n; n = n->next)
			set_rates(container_of(n, struct account, node));
}

static void free_if_done(struct limits *l)
{
	if (!l->gone || l->flows)
		return;
	while (!list_empty(&l->idle))
		forget(container_of(l->idle.next, struct account, idle));
	loop_timer_stop(&l->sweep);
	loop_timer_stop(&l->turns);
	hash_free(&l->accounts);
	free(l);
}

void limits_free(struct limits *l)
{
	if (!l)
		return;
	l->gone = true;
	free_if_done(l);
}

void limits_close(struct limits_flow *f)
{
	if (!f)
		return;
	for (int i = 0; i < 2; i++)
		leave_queue(&f->taps[i]);
	for (int k = 0; k < KINDS; k++)
		if (f->accounts[k])
			leave(f->accounts[k]);
	f->limits->flows--;
	free_if_done(f->limits);
	free(f);
}

size_t limits_accounts(const struct limits *l)
{
	return l->accounts.count;
}
