/*
 * The table is an array of sets of eight entries; a session's keyed hash says
 * which set. An entry is found by the whole hash alone: should two sessions ever
 * have the same, one goes to a worker that does not know it, which begins it as
 * any worker would. A full set loses its oldest entry, and with it only the
 * way to a session that moves. So nothing here must be right for safety but the lock
 * (base/shared.h), and an entry half written by a killed worker is one more
 * wrong guess.
 *
 * Each worker has an inbox, a datagram socketpair: all write to one end, it
 * reads the other. The supervisor holds both ends of all, so an inbox outlives
 * its worker, and its next life reads on.
 */
#include "inbound/session_owners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/shared.h"
#include "inbound/ss_salts.h"
#include "loop/loop.h"

#define SETS 16384u /* a power of two; times 8: what one machine has of sessions */
#define SET 8
#define INBOX_BYTES (4 * 1024 * 1024)
#define INBOX_BATCH 32

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
	int (*inboxes)[2]; /* [n]: where it is read, where it is written */
	struct loop_watch watch;
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
	struct iovec iov[2] = { { &note, sizeof(note) }, { (void *)(uintptr_t)data, len } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };

	return sendmsg(o->inboxes[worker][1], &h, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static void deliver(struct session_owners *o, const struct note *note, const struct udp_message *m)
{
	list_for_each (it, &o->listeners) {
		struct session_listener *l = container_of(it, struct session_listener, node);

		if (!addr_equal(&l->at, &note->at))
			continue;
		l->receive(l, m);
		return;
	}
}

/* False: nothing is there. */
static bool take_one(struct session_owners *o, struct buf *b)
{
	struct note note;
	struct iovec iov[2] = { { &note, sizeof(note) }, { b->data, b->size } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n = recvmsg(o->inboxes[o->self][0], &h, MSG_DONTWAIT);
	struct udp_message m = { .payload = { b, 0, 0 } };

	if (n < 0)
		return errno == EINTR;
	if ((size_t)n <= sizeof(note) || (h.msg_flags & MSG_TRUNC))
		return true;
	m.peer = note.peer;
	m.local = note.local;
	m.payload.len = (uint32_t)((size_t)n - sizeof(note));
	deliver(o, &note, &m);
	return true;
}

static void on_inbox(struct loop_watch *w, unsigned events)
{
	struct session_owners *o = container_of(w, struct session_owners, watch);
	bool more = true;

	(void)events;
	for (int i = 0; i < INBOX_BATCH && more; i++) {
		/* One each: what is passed on may be referred to until the turn ends. */
		struct buf *b = buf_get(UDP_PAYLOAD_MAX + 1);

		if (!b)
			return; /* the watch is level-triggered */
		more = take_one(o, b);
		buf_unref(b);
	}
}

int session_owners_join(struct session_owners *o, int worker)
{
	o->self = worker;
	return loop_watch_start(&o->watch, o->inboxes[worker][0], LOOP_READ, on_inbox);
}

void session_owners_leave(struct session_owners *o)
{
	loop_watch_stop(&o->watch);
}

void session_owners_listen(struct session_owners *o, struct session_listener *l)
{
	list_init(&l->node);
	list_append(&o->listeners, &l->node);
}

/* ---- life ---- */

static void set_room(int fd)
{
	int size = INBOX_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int open_inboxes(struct session_owners *o)
{
	o->inboxes = malloc(sizeof(*o->inboxes) * (size_t)o->n);
	if (!o->inboxes)
		return -ENOMEM;
	memset(o->inboxes, 0xff, sizeof(*o->inboxes) * (size_t)o->n);
	for (int i = 0; i < o->n; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, o->inboxes[i]) < 0)
			return -errno;
		set_room(o->inboxes[i][1]);
	}
	return 0;
}

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
	if (!o->table || !o->salts || shared_lock_init(&o->table->lock) < 0 || open_inboxes(o) < 0) {
		session_owners_free(o);
		return NULL;
	}
	return o;
}

void session_owners_free(struct session_owners *o)
{
	if (!o)
		return;
	for (int i = 0; o->inboxes && i < o->n; i++)
		for (int k = 0; k < 2; k++)
			if (o->inboxes[i][k] >= 0)
				close(o->inboxes[i][k]);
	free(o->inboxes);
	if (o->table)
		shared_unmap(o->table, sizeof(*o->table));
	if (o->salts)
		shared_unmap(o->salts, SS_SALTS_BYTES);
	free(o);
}

int session_owners_fds(const struct session_owners *o, int worker, int *fds)
{
	int n = 0;

	for (int i = 0; i < o->n; i++)
		fds[n++] = o->inboxes[i][1];
	fds[n++] = o->inboxes[worker][0];
	return n;
}
