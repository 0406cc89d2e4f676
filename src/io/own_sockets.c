/*
 * For each process a table of 32-bit marks, in memory that all have in common, which only
 * that process writes. A mark stands in one of the WINDOW slots from where its hash says;
 * whoever looks for it reads one or two cache lines of each table. There is no lock: a
 * mark is one word, which is there or is not, and who comes at the very moment at which it
 * appears has come a moment too early.
 *
 * The hash is no secret: who makes his socket look like ours is refused, and that is all.
 */
#include "io/own_sockets.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/shared.h"

#define SLOTS 16384u /* a power of two; as many sockets as most limits of descriptors allow */
#define WINDOW 16u

struct table {
	_Atomic uint32_t marks[SLOTS];
};

struct own_sockets {
	int n;
	struct table *tables; /* [n] */
};

static struct own_sockets *joined;
static struct table *mine;

struct own_sockets *own_sockets_new(int n)
{
	struct own_sockets *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->n = n;
	s->tables = shared_map((size_t)n * sizeof(*s->tables), true);
	if (!s->tables) {
		free(s);
		return NULL;
	}
	return s;
}

void own_sockets_free(struct own_sockets *s)
{
	if (!s)
		return;
	shared_unmap(s->tables, (size_t)s->n * sizeof(*s->tables));
	free(s);
}

void own_sockets_join(struct own_sockets *s, int process)
{
	joined = s;
	mine = s ? &s->tables[process] : NULL;
	if (mine)
		shared_drop(mine, sizeof(*mine), true);
}

/* ---- marks ---- */

/* splitmix64's finaliser */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t mix_addr(uint64_t h, const struct addr *a)
{
	uint64_t words[2] = { 0, 0 };

	memcpy(words, a->ip.bytes, addr_ip_len(a));
	h = mix(h ^ ((uint64_t)a->family << 16 | a->port));
	return mix(mix(h ^ words[0]) ^ words[1]);
}

static uint64_t hash_of(int type, const struct addr *self, const struct addr *peer)
{
	uint64_t h = mix_addr((uint64_t)type + 1, self);

	return peer ? mix_addr(h, peer) : h;
}

static uint32_t mark_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32) | 1;
}

static bool stands_in(const struct table *t, uint64_t hash)
{
	uint32_t mark = mark_of(hash);

	for (uint32_t i = 0; i < WINDOW; i++)
		if (atomic_load_explicit(&t->marks[(hash + i) % SLOTS], memory_order_relaxed) == mark)
			return true;
	return false;
}

static void put(struct own_socket *o, uint64_t hash)
{
	for (uint32_t i = 0; i < WINDOW; i++) {
		uint32_t slot = (uint32_t)((hash + i) % SLOTS);

		if (atomic_load_explicit(&mine->marks[slot], memory_order_relaxed))
			continue;
		*o = (struct own_socket){ mark_of(hash), slot };
		atomic_store_explicit(&mine->marks[slot], o->mark, memory_order_relaxed);
		return;
	}
}

/* ---- sockets ---- */

/* The end that it sends from; port 0: there is none yet, and none could be had. */
static struct addr self_of(int fd, int type)
{
	struct addr self = addr_of_socket(fd);
	struct sockaddr_storage ss;
	socklen_t len;

	if (self.port || type != SOCK_DGRAM || !self.family)
		return self;
	len = addr_to_sockaddr(&self, &ss);
	return bind(fd, (struct sockaddr *)&ss, len) == 0 ? addr_of_socket(fd) : self;
}

void own_socket_add(struct own_socket *o, int type, int fd, const struct addr *peer)
{
	struct addr self;

	if (!mine)
		return;
	self = self_of(fd, type);
	if (self.port)
		put(o, hash_of(type, &self, type == SOCK_STREAM ? peer : NULL));
}

void own_socket_remove(struct own_socket *o)
{
	if (o->mark && mine)
		atomic_store_explicit(&mine->marks[o->slot], 0, memory_order_relaxed);
	o->mark = 0;
}

static bool know(int type, const struct addr *self, const struct addr *peer)
{
	uint64_t hash = hash_of(type, self, peer);

	for (int i = 0; i < joined->n; i++)
		if (stands_in(&joined->tables[i], hash))
			return true;
	return false;
}

bool own_sockets_know(int type, const struct addr *self, const struct addr *peer)
{
	struct addr any4 = { .family = AF_INET, .port = self->port }, any6 = { .family = AF_INET6, .port = self->port };

	if (!joined)
		return false;
	if (type == SOCK_STREAM)
		return know(type, self, peer);
	return know(type, self, NULL) || know(type, &any4, NULL) || know(type, &any6, NULL);
}
