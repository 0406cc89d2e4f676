/*
 * The table is an array of sets of eight entries; a session's keyed hash says
 * which set. An entry is found by the whole hash alone: should two sessions ever
 * have the same, one goes to a worker that does not know it, which begins it as
 * any worker would. A full set loses its oldest entry, and with it only the
 * way to a session that moves. So nothing here must be right for safety but the lock
 * (base/shared.h), and an entry half written by a killed worker is one more
 * wrong guess.
 */
#include "inbound/session_owners.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/shared.h"
#include "inbound/ss_salts.h"
#include "io/inboxes.h"

#define SETS 16384u /* a power of two; times 8: what one machine has of sessions */
#define SET 8

struct entry {
	uint64_t key;	  /* 0: free */
	uint32_t until_s; /* when it may be forgotten; 0: it lives */
	uint16_t worker, born; /* born: a clock of claims, which wraps; only compared within a set */
};

struct table {
	pthread_mutex_t lock;
	uint16_t clock;
	struct entry sets[SETS][SET];
};

struct session_owners {
	struct table *table;
	uint64_t *salts;
	int n, self;
	struct inboxes *inboxes;
	struct list listeners;
};

/* Before a datagram in an inbox. */
struct note {
	struct addr at, peer, local;
};

/* ---- the table ---- */

static uint64_t key_of(const struct session_listener *l, uint64_t session)
{
	uint64_t flat[2] = { addr_hash(&l->at), session }, key = hash_bytes(flat, sizeof(flat));

	return key ? key : 1;
}

static struct entry *set_of(const struct session_owners *o, uint64_t key)
{
	return o->table->sets[key & (SETS - 1)];
}

static bool is_due(const struct entry *e, uint64_t now_ms)
{
	return e->until_s && e->until_s < now_ms / 1000;
}

/* The session's entry; under the lock. */
static struct entry *find(const struct session_owners *o, uint64_t key)
{
	struct entry *set = set_of(o, key);

	for (int i = 0; i < SET; i++)
		if (set[i].key == key)
			return &set[i];
	return NULL;
}

/* Where a new one may stand: a free place, one that is due, or the oldest. */
static struct entry *place_for(const struct session_owners *o, uint64_t key, uint64_t now_ms)
{
	struct entry *set = set_of(o, key), *oldest = set;

	for (int i = 0; i < SET; i++) {
		if (!set[i].key || is_due(&set[i], now_ms))
			return &set[i];
		if ((uint16_t)(o->table->clock - set[i].born) > (uint16_t)(o->table->clock - oldest->born))
			oldest = &set[i];
	}
	return oldest;
}

int session_owners_find(struct session_owners *o, const struct session_listener *l, uint64_t session, uint64_t now_ms)
{
	const struct entry *e;
	int worker = -1;

	shared_lock(&o->table->lock);
	e = find(o, key_of(l, session));
	if (e && !is_due(e, now_ms) && e->worker < o->n)
		worker = e->worker;
	shared_unlock(&o->table->lock);
	return worker == o->self ? -1 : worker;
}

bool session_owners_claim(struct session_owners *o, const struct session_listener *l, uint64_t session, uint64_t now_ms)
{
	uint64_t key = key_of(l, session);
	struct entry *e;
	bool ours;

	shared_lock(&o->table->lock);
	e = find(o, key);
	ours = !e || e->worker == o->self || is_due(e, now_ms);
	if (ours) {
		e = e ? e : place_for(o, key, now_ms);
		*e = (struct entry){ .key = key, .worker = (uint16_t)o->self, .born = ++o->table->clock };
	}
	shared_unlock(&o->table->lock);
	return ours;
}

void session_owners_release(struct session_owners *o, const struct session_listener *l, uint64_t session, uint64_t until_ms)
{
	struct entry *e;

	shared_lock(&o->table->lock);
	e = find(o, key_of(l, session));
	if (e && e->worker == o->self)
		e->until_s = (uint32_t)(until_ms / 1000 + 1);
	shared_unlock(&o->table->lock);
}

void session_owners_bury(struct session_owners *o, int worker)
{
	shared_lock(&o->table->lock);
	for (unsigned i = 0; i < SETS; i++)
		for (int k = 0; k < SET; k++)
			if (o->table->sets[i][k].key && o->table->sets[i][k].worker == worker)
				o->table->sets[i][k] = (struct entry){ 0 };
	shared_unlock(&o->table->lock);
}

uint64_t *session_owners_salts(struct session_owners *o)
{
	return o->salts;
}

/* ---- inboxes ---- */

bool session_owners_hand_over(struct session_owners *o, int worker, const struct session_listener *l, const struct udp_message *from,
			      const uint8_t *data, size_t len)
{
	struct note note = { .at = l->at, .peer = from->peer, .local = from->local };

	return inboxes_send(o->inboxes, worker, &note, data, len);
}

static void deliver(void *owner, const void *data, struct slice datagram)
{
	struct session_owners *o = owner;
	const struct note *note = data;
	struct udp_message m = { .peer = note->peer, .local = note->local, .payload = datagram };

	list_for_each (it, &o->listeners) {
		struct session_listener *l = container_of(it, struct session_listener, node);

		if (!addr_equal(&l->at, &note->at))
			continue;
		l->receive(l, &m);
		return;
	}
}

int session_owners_join(struct session_owners *o, int worker)
{
	o->self = worker;
	return inboxes_join(o->inboxes, worker, deliver, o);
}

void session_owners_leave(struct session_owners *o)
{
	inboxes_leave(o->inboxes);
}

void session_owners_listen(struct session_owners *o, struct session_listener *l)
{
	list_init(&l->node);
	list_append(&o->listeners, &l->node);
}

/* ---- life ---- */

struct session_owners *session_owners_new(int workers)
{
	struct session_owners *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->n = workers;
	o->self = -1;
	list_init(&o->listeners);
	hash_bytes("", 0); /* draws the key of the hash, which workers must agree on */
	o->table = shared_map(sizeof(*o->table), true);
	o->salts = shared_map(SS_SALTS_BYTES, true);
	o->inboxes = inboxes_new(workers, sizeof(struct note));
	if (!o->table || !o->salts || !o->inboxes || shared_lock_init(&o->table->lock) < 0) {
		session_owners_free(o);
		return NULL;
	}
	return o;
}

void session_owners_free(struct session_owners *o)
{
	if (!o)
		return;
	inboxes_free(o->inboxes);
	if (o->table)
		shared_unmap(o->table, sizeof(*o->table));
	if (o->salts)
		shared_unmap(o->salts, SS_SALTS_BYTES);
	free(o);
}

int session_owners_fds(const struct session_owners *o, int worker, int *fds)
{
	return inboxes_fds(o->inboxes, worker, fds);
}
