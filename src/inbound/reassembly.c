/*
 * Reassembly of fragmented datagrams (RFC 791, RFC 8200, RFC 5722, RFC 8900).
 *
 * A datagram under way is one buffer with its payload in place, and a list of
 * the ranges that came. Limits: 256 datagrams, 1 MiB of bytes (a fragment
 * counts as 512 at least, so that many tiny ones do not cost more than they
 * count), 64 ranges of one datagram apart from each other, 10 seconds from the
 * first fragment. Beyond a limit the oldest datagram goes.
 *
 * A fragment that overlaps what came before drops the whole datagram and all
 * that still comes of it: the entry stays, poisoned, until its time is over
 * (RFC 5722). A repetition of the very bytes is no attack but a network's
 * habit; it is ignored. A fragment that contradicts the known length poisons as well.
 *
 * The result is an ordinary packet: a plain IP header (options and extension
 * headers are of no use here) with the first fragment's hop limit, DF clear.
 */
#include "inbound/reassembly.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/list.h"
#include "inbound/packet.h"
#include "io/datagram_counters.h"
#include "loop/loop.h"

#define DATAGRAMS_MAX 256
#define BYTES_MAX (1024u * 1024)
#define FRAGMENT_COST 512u
#define RANGES_MAX 64
#define TIMEOUT_MS 10000
#define HEAD_ROOM PACKET_IP6_HEADER
#define PAYLOAD_MAX 65535u

struct range {
	uint32_t from, to;
};

/* What fragments of one datagram have in common. */
struct key {
	struct addr src, dst;
	uint32_t id;
	uint32_t proto;
};

struct datagram_entry {
	struct hash_node node;
	struct list age;
	struct key key;
	struct buf *buf; /* payload from HEAD_ROOM on; NULL when poisoned */
	uint64_t since_ms;
	uint32_t total; /* bytes of payload, once the last fragment came; else 0 */
	uint32_t cost;
	uint16_t n_ranges;
	uint8_t proto, hop_limit; /* of the first fragment */
	struct range ranges[RANGES_MAX];
};

struct reassembly {
	struct tun *tun;
	struct hash entries;
	struct list by_age;
	struct loop_timer timer;
	uint32_t bytes;
	struct reassembly_counters counters;
};

/* ---- entries ---- */

static struct key key_of(const struct packet *p)
{
	struct key k;

	/* Hashed as bytes, padding included. */
	memset(&k, 0, sizeof(k));
	k.src = p->src;
	k.dst = p->dst;
	k.src.port = k.dst.port = 0;
	k.id = p->frag_id;
	k.proto = p->version == 4 ? p->proto : 0;
	return k;
}

static struct datagram_entry *find(const struct reassembly *r, const struct key *k, uint64_t hash)
{
	for (struct hash_node *n = hash_first(&r->entries, hash); n; n = hash_next(n, hash)) {
		struct datagram_entry *e = container_of(n, struct datagram_entry, node);
		if (memcmp(&e->key, k, sizeof(*k)) == 0)
			return e;
	}
	return NULL;
}

static void release_bytes(struct reassembly *r, struct datagram_entry *e)
{
	r->bytes -= e->cost;
	e->cost = 0;
	if (e->buf)
		buf_unref(e->buf);
	e->buf = NULL;
}

static void drop(struct reassembly *r, struct datagram_entry *e)
{
	release_bytes(r, e);
	hash_remove(&r->entries, &e->node);
	list_remove(&e->age);
	r->counters.active--;
	free(e);
}

static void poison(struct reassembly *r, struct datagram_entry *e)
{
	release_bytes(r, e);
	r->counters.overlaps++;
}

static struct datagram_entry *oldest(struct reassembly *r)
{
	return list_empty(&r->by_age) ? NULL : container_of(r->by_age.next, struct datagram_entry, age);
}

static void on_timer(struct loop_timer *t)
{
	struct reassembly *r = container_of(t, struct reassembly, timer);
	uint64_t now = loop_now();
	struct datagram_entry *e;

	while ((e = oldest(r)) && now - e->since_ms >= TIMEOUT_MS) {
		if (e->buf) {
			r->counters.timeouts++;
			datagram_counters.fragment_timeouts++;
		}
		drop(r, e);
	}
	if (e)
		loop_timer_start(t, e->since_ms + TIMEOUT_MS - now, on_timer);
}

static struct datagram_entry *add(struct reassembly *r, const struct key *k, uint64_t hash)
{
	struct datagram_entry *e;

	if (r->counters.active >= DATAGRAMS_MAX) {
		r->counters.limit++;
		drop(r, oldest(r));
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->buf = buf_get(BUF_MEDIUM);
	if (!e->buf) {
		free(e);
		return NULL;
	}
	e->key = *k;
	e->since_ms = loop_now();
	hash_insert(&r->entries, &e->node, hash);
	list_append(&r->by_age, &e->age);
	r->counters.active++;
	if (!loop_timer_armed(&r->timer))
		loop_timer_start(&r->timer, TIMEOUT_MS, on_timer);
	return e;
}

/* ---- ranges ---- */

enum fit { FIT_NEW, FIT_DUPLICATE, FIT_OVERLAP };

static enum fit fit_of(const struct datagram_entry *e, const uint8_t *data, uint32_t from, uint32_t to)
{
	for (int i = 0; i < e->n_ranges; i++) {
		if (to <= e->ranges[i].from || from >= e->ranges[i].to)
			continue;
		if (from < e->ranges[i].from || to > e->ranges[i].to)
			return FIT_OVERLAP;
		return memcmp(e->buf->data + HEAD_ROOM + from, data, to - from) == 0 ? FIT_DUPLICATE : FIT_OVERLAP;
	}
	return FIT_NEW;
}

/* A new range, joined with the neighbours it touches. False: too many apart. */
static bool add_range(struct datagram_entry *e, uint32_t from, uint32_t to)
{
	int left = -1, right = -1;

	for (int i = 0; i < e->n_ranges; i++) {
		if (e->ranges[i].to == from)
			left = i;
		if (e->ranges[i].from == to)
			right = i;
	}
	if (left >= 0 && right >= 0) {
		e->ranges[left].to = e->ranges[right].to;
		e->ranges[right] = e->ranges[--e->n_ranges];
	} else if (left >= 0) {
		e->ranges[left].to = to;
	} else if (right >= 0) {
		e->ranges[right].from = from;
	} else {
		if (e->n_ranges == RANGES_MAX)
			return false;
		e->ranges[e->n_ranges++] = (struct range){ from, to };
	}
	return true;
}

static bool complete(const struct datagram_entry *e)
{
	return e->total && e->n_ranges == 1 && e->ranges[0].from == 0 && e->ranges[0].to == e->total;
}

/* ---- fragments ---- */

/* Room for `to` bytes of payload; the buffer grows once. */
static bool grow(struct datagram_entry *e, uint32_t to)
{
	struct buf *larger;
	uint32_t have = 0;

	if (HEAD_ROOM + to <= e->buf->size)
		return true;
	larger = buf_get(BUF_LARGE);
	if (!larger)
		return false;
	for (int i = 0; i < e->n_ranges; i++)
		have = e->ranges[i].to > have ? e->ranges[i].to : have;
	memcpy(larger->data, e->buf->data, HEAD_ROOM + have);
	buf_unref(e->buf);
	e->buf = larger;
	return true;
}

static bool charge(struct reassembly *r, struct datagram_entry *e, uint32_t len)
{
	uint32_t cost = len < FRAGMENT_COST ? FRAGMENT_COST : len;

	while (r->bytes + cost > BYTES_MAX) {
		struct datagram_entry *o = oldest(r);

		r->counters.limit++;
		if (o == e)
			return false;
		drop(r, o);
	}
	r->bytes += cost;
	e->cost += cost;
	return true;
}

/* Do offset, length and the last-fragment mark agree with what is known? */
static bool consistent(const struct datagram_entry *e, uint32_t to, bool last)
{
	if (e->total && (last ? to != e->total : to > e->total))
		return false;
	for (int i = 0; last && i < e->n_ranges; i++)
		if (e->ranges[i].to > to)
			return false;
	return true;
}

static void deliver(struct reassembly *r, struct datagram_entry *e)
{
	struct addr src = e->key.src, dst = e->key.dst;
	uint8_t header[PACKET_IP6_HEADER];
	uint32_t n = packet_build_ip(header, &src, &dst, e->proto, e->total, e->hop_limit, false);
	struct slice whole = { e->buf, HEAD_ROOM - n, n + e->total };

	memcpy(e->buf->data + whole.off, header, n);
	whole = slice_ref(whole);
	drop(r, e);
	r->counters.datagrams++;
	tun_inject(r->tun, whole);
	slice_unref(whole);
}

/* Puts p into e; false: e must go. */
static bool insert(struct reassembly *r, struct datagram_entry *e, const struct packet *p)
{
	uint32_t len = packet_l4_len(p), from = p->frag_off, to = from + len;

	if (!charge(r, e, len) || !grow(e, to) || !add_range(e, from, to))
		return false;
	memcpy(e->buf->data + HEAD_ROOM + from, packet_l4(p), len);
	if (!p->more_frags)
		e->total = to;
	if (from == 0) {
		e->hop_limit = p->hop_limit;
		e->proto = p->proto;
	}
	return true;
}

/* Sizes that no honest sender makes, and headers that would not fit the result. */
static bool well_formed(const struct packet *p)
{
	uint32_t len = packet_l4_len(p), header = p->version == 4 ? PACKET_IP4_HEADER : 0;

	if (len == 0 || (p->more_frags && len % 8))
		return false;
	return header + p->frag_off + len <= PAYLOAD_MAX;
}

void reassembly_input(struct reassembly *r, const struct packet *p)
{
	uint32_t len = packet_l4_len(p), from = p->frag_off, to = from + len;
	struct key k = key_of(p);
	uint64_t hash = hash_bytes(&k, sizeof(k));
	struct datagram_entry *e;
	enum fit fit;

	r->counters.fragments++;
	datagram_counters.fragments++;
	if (!well_formed(p)) {
		r->counters.malformed++;
		return;
	}
	e = find(r, &k, hash);
	if (!e)
		e = add(r, &k, hash);
	if (!e || !e->buf)
		return;
	fit = fit_of(e, packet_l4(p), from, to);
	if (fit == FIT_DUPLICATE)
		return;
	if (fit == FIT_OVERLAP || !consistent(e, to, !p->more_frags)) {
		poison(r, e);
	} else if (!insert(r, e, p)) {
		r->counters.limit++;
		drop(r, e);
	} else if (complete(e)) {
		deliver(r, e);
	}
}

/* ---- life ---- */

struct reassembly *reassembly_new(struct tun *t)
{
	struct reassembly *r = calloc(1, sizeof(*r));

	if (!r || hash_init(&r->entries) != 0) {
		free(r);
		return NULL;
	}
	r->tun = t;
	list_init(&r->by_age);
	return r;
}

void reassembly_free(struct reassembly *r)
{
	while (oldest(r))
		drop(r, oldest(r));
	loop_timer_stop(&r->timer);
	hash_free(&r->entries);
	free(r);
}

const struct reassembly_counters *reassembly_counters(const struct reassembly *r)
{
	return &r->counters;
}
