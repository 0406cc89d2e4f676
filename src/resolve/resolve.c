/*
 * The resolver: literal → own hosts file → /etc/hosts → localhost → cache →
 * DNS. A name in a hosts file has the addresses of that file and no others, as
 * everywhere in Unix.
 *
 * A question lives while somebody asks DNS for its name; it is found by name,
 * so that simultaneous askers (struct resolve_query) share it. It asks A and
 * AAAA at once and ends when both are answered, or GRACE after A: a server
 * that swallows AAAA costs 50 ms (RFC 8305 section 3), not its timeout; the
 * question then lingers without askers until c-ares is done with it. One
 * whose askers all cancelled goes on: the next one will want the answer.
 *
 *	resolve_start ── found in no source ──→ asking ── both, or A and GRACE ─┐
 *	      └────────── found ────────────────────────────────────────────────┴→ finished
 *
 * Finished questions are told from deferred work, so that `done` never comes
 * inside resolve_start() or inside c-ares.
 *
 * Kept for: the least TTL of the records, one second to one hour; negative
 * answers for the SOA's minimum (RFC 2308), at most five minutes; "no server
 * answered" for one second. Bounds: CACHE_MAX names unless told otherwise, ASKING_MAX questions.
 */
#include "resolve/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "loop/loop.h"
#include "proto/dns_message.h"
#include "resolve/cache.h"
#include "resolve/channel.h"
#include "resolve/hosts.h"

#define CACHE_MAX 4096
#define ASKING_MAX 2048
#define EXPIRE_MS 20000
#define GRACE_MS 50
#define TTL_MAX_S 3600u
#define TTL_NEGATIVE_MAX_S 300u
#define TTL_NEGATIVE_S 30u /* a negative answer without a SOA */
#define TTL_PARTIAL_S 30u  /* IPv4 known, IPv6 not answered */
#define TTL_FAILURE_MS 1000u
#define DOUBT_MS 1000u /* younger answers are believed */

struct answer { /* of one family */
	bool open, answered;
	uint8_t n;
	uint32_t ttl_s;
	struct addr addrs[RESOLVE_MAX];
};

struct question {
	struct hash_node node;
	struct list all;
	struct list finished; /* queued to be told */
	struct list askers;
	struct loop_timer grace;
	bool asking; /* in `asking`, found by name */
	bool stale;  /* it was asked by a way that is no more */
	struct answer v4, v6;
	struct resolved result;
	uint8_t len;
	char name[TARGET_NAME_MAX + 1];
};

struct resolve_query {
	struct list node;
	resolve_done *done;
	void *owner;
};

static struct hosts own_hosts, etc_hosts;
static struct hosts fresh_hosts; /* of a change that is prepared, */
static uint32_t fresh_max;	 /* as this */
static struct resolve_cache cache;
static struct hash asking;
static struct list questions, finished;
static uint32_t n_questions;
static struct loop_work tell_work;
static struct loop_timer expire_timer; /* armed while the cache holds anything */
static struct resolve_counters counters;

/* ---- names that need no server ---- */

/* Lower case, no last dot; false for what cannot be asked: empty, too long, or
 * bytes that c-ares would take for an escape or a terminator. */
static bool normalise(const char *name, size_t len, char *out, size_t *out_len)
{
	if (len && name[len - 1] == '.')
		len--;
	if (len == 0 || len > TARGET_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];
		if (c <= ' ' || c == '\\' || c == 0x7f)
			return false;
		out[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
	}
	out[len] = 0;
	*out_len = len;
	return true;
}

static bool is_localhost(const char *name, size_t len)
{
	static const char tail[] = ".localhost";
	const size_t n = sizeof(tail) - 1;

	return (len == n - 1 && !memcmp(name, tail + 1, n - 1)) || (len > n && !memcmp(name + len - n, tail, n));
}

static void set_loopback(struct resolved *out)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 };

	out->n = 2;
	out->addrs[0] = addr_v6(&in6addr_loopback, 0);
	out->addrs[1] = addr_v4(v4, 0);
}

/* RFC 8305 section 4: the families take turns, IPv6 first. */
static void interleave(struct resolved *r, const struct addr *v6, int n6, const struct addr *v4, int n4)
{
	int i6 = 0, i4 = 0;

	r->n = 0;
	while (r->n < RESOLVE_MAX && (i6 < n6 || i4 < n4)) {
		if (i6 < n6)
			r->addrs[r->n++] = v6[i6++];
		if (i4 < n4 && r->n < RESOLVE_MAX)
			r->addrs[r->n++] = v4[i4++];
	}
}

static void interleave_hosts(struct resolved *r)
{
	struct addr v4[RESOLVE_MAX], v6[RESOLVE_MAX];
	int n4 = 0, n6 = 0;

	for (int i = 0; i < r->n; i++) {
		if (r->addrs[i].family == AF_INET)
			v4[n4++] = r->addrs[i];
		else
			v6[n6++] = r->addrs[i];
	}
	interleave(r, v6, n6, v4, n4);
}

/* `name` is normalised. */
static bool lookup(const char *name, size_t len, struct resolved *out)
{
	uint64_t now = loop_now();

	if (addr_parse_ip(name, 0, &out->addrs[0]) == 0) {
		out->n = 1;
		return true;
	}
	if (hosts_lookup(&own_hosts, name, len, now, out) || hosts_lookup(&etc_hosts, name, len, now, out)) {
		interleave_hosts(out);
		return true;
	}
	if (is_localhost(name, len)) {
		set_loopback(out);
		return true;
	}
	return resolve_cache_get(&cache, name, len, now, out);
}

bool resolve_cached(const char *name, size_t len, struct resolved *out)
{
	char key[TARGET_NAME_MAX + 1];
	size_t n;

	if (!normalise(name, len, key, &n)) {
		out->n = 0;
		return true;
	}
	if (!lookup(key, n, out))
		return false;
	counters.asked++;
	counters.hits++;
	return true;
}

/* ---- questions ---- */

/* New askers go to the cache, or ask anew. */
static void stop_asking(struct question *q)
{
	if (q->asking)
		hash_remove(&asking, &q->node);
	q->asking = false;
}

static void question_free(struct question *q)
{
	loop_timer_stop(&q->grace);
	stop_asking(q);
	list_remove(&q->finished);
	list_remove(&q->all);
	n_questions--;
	list_for_each_safe(it, &q->askers)
		free(container_of(it, struct resolve_query, node));
	free(q);
}

static bool is_open(const struct question *q) { return q->v4.open || q->v6.open; }

static void tell(struct question *q)
{
	/* Askers may cancel each other, or ask again, from inside done(). */
	while (!list_empty(&q->askers)) {
		struct resolve_query *a = container_of(q->askers.next, struct resolve_query, node);
		resolve_done *done = a->done;
		void *owner = a->owner;

		list_remove(&a->node);
		free(a);
		done(owner, &q->result);
	}
	if (!is_open(q))
		question_free(q);
}

static void on_tell(struct loop_work *w)
{
	(void)w;
	while (!list_empty(&finished)) {
		struct question *q = container_of(finished.next, struct question, finished);

		list_remove(&q->finished);
		tell(q);
	}
}

static void finish(struct question *q)
{
	loop_timer_stop(&q->grace);
	if (!list_empty(&q->finished))
		return;
	list_append(&finished, &q->finished);
	loop_defer(&tell_work, on_tell);
}

static uint64_t ttl_ms(const struct question *q)
{
	const struct answer *a = &q->v4, *b = &q->v6;
	uint32_t ttl = TTL_MAX_S;

	if (a->n && !b->answered)
		ttl = TTL_PARTIAL_S;
	else if (!a->answered || !b->answered)
		return TTL_FAILURE_MS;
	if ((a->n || !b->n) && a->ttl_s < ttl)
		ttl = a->ttl_s;
	if ((b->n || !a->n) && b->ttl_s < ttl)
		ttl = b->ttl_s;
	if (!a->n && !b->n && ttl > TTL_NEGATIVE_MAX_S)
		ttl = TTL_NEGATIVE_MAX_S;
	return (ttl ? ttl : 1) * UINT64_C(1000);
}

static void on_expire(struct loop_timer *t)
{
	resolve_cache_expire(&cache, loop_now());
	if (cache.count)
		loop_timer_start(t, EXPIRE_MS, on_expire);
}

static void conclude(struct question *q)
{
	interleave(&q->result, q->v6.addrs, q->v6.n, q->v4.addrs, q->v4.n);
	if (q->stale)
		return;
	resolve_cache_put(&cache, q->name, q->len, loop_now(), ttl_ms(q), &q->result);
	if (!loop_timer_armed(&expire_timer))
		loop_timer_start(&expire_timer, EXPIRE_MS, on_expire);
	if (!q->result.n && (!q->v4.answered || !q->v6.answered))
		counters.failures++;
}

static void on_grace(struct loop_timer *t)
{
	struct question *q = container_of(t, struct question, grace);

	conclude(q);
	stop_asking(q);
	finish(q);
}

/* One family has its answer, or never will. */
static void answered(struct question *q)
{
	if (q->asking && q->v6.open && !q->v4.open && q->v4.n)
		loop_timer_start(&q->grace, GRACE_MS, on_grace);
	if (is_open(q))
		return;
	conclude(q);
	stop_asking(q);
	finish(q);
}

/* ---- replies ---- */

/* RFC 2308: how long "no" holds is the lesser of the SOA's TTL and its last field. */
static uint32_t negative_ttl(const struct dns_record *soa)
{
	const uint8_t *p = soa->data + soa->len - 4;
	uint32_t minimum;

	if (soa->len < 22)
		return TTL_NEGATIVE_S;
	minimum = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return minimum < soa->ttl ? minimum : soa->ttl;
}

static void take_record(struct answer *a, const struct dns_record *r, uint16_t type, uint32_t *negative)
{
	size_t ip_len = type == DNS_TYPE_A ? 4 : 16;

	if (r->authority) {
		if (r->type == DNS_TYPE_SOA)
			*negative = negative_ttl(r);
		return;
	}
	/* CNAMEs on the way count for the age too. */
	if (r->ttl < a->ttl_s)
		a->ttl_s = r->ttl;
	if (r->type != type || r->class != DNS_CLASS_IN || r->len != ip_len || a->n == RESOLVE_MAX)
		return;
	a->addrs[a->n++] = type == DNS_TYPE_A ? addr_v4(r->data, 0) : addr_v6(r->data, 0);
}

static void take_reply(struct answer *a, bool ok, const uint8_t *reply, size_t len, uint16_t type)
{
	uint32_t negative = TTL_NEGATIVE_S;
	struct dns_records it;
	struct dns_record r;

	a->open = false;
	a->answered = ok;
	a->ttl_s = TTL_MAX_S;
	if (ok && len && dns_records_begin(&it, reply, len) == 0)
		while (dns_records_next(&it, &r) == 1)
			take_record(a, &r, type, &negative);
	if (!a->n)
		a->ttl_s = negative;
}

static void on_v4(void *owner, bool ok, const uint8_t *reply, size_t len)
{
	struct question *q = owner;

	take_reply(&q->v4, ok, reply, len, DNS_TYPE_A);
	answered(q);
}

static void on_v6(void *owner, bool ok, const uint8_t *reply, size_t len)
{
	struct question *q = owner;

	take_reply(&q->v6, ok, reply, len, DNS_TYPE_AAAA);
	answered(q);
}

/* ---- asking ---- */

static struct question *find_asking(const char *name, size_t len)
{
	uint64_t key = hash_bytes(name, len);

	for (struct hash_node *n = hash_first(&asking, key); n; n = hash_next(n, key)) {
		struct question *q = container_of(n, struct question, node);

		if (q->len == len && !memcmp(q->name, name, len))
			return q;
	}
	return NULL;
}

static struct question *question_new(const char *name, size_t len)
{
	struct question *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	list_init(&q->finished);
	list_init(&q->askers);
	list_append(&questions, &q->all);
	n_questions++;
	q->len = (uint8_t)len;
	memcpy(q->name, name, len);
	return q;
}

static void question_ask(struct question *q)
{
	hash_insert(&asking, &q->node, hash_bytes(q->name, q->len));
	q->asking = q->v4.open = q->v6.open = true;
	/* Either may be answered, but not freed, before the call returns. */
	resolve_channel_ask(q->name, DNS_TYPE_AAAA, on_v6, q);
	resolve_channel_ask(q->name, DNS_TYPE_A, on_v4, q);
}

/* The question to wait on: one that is asked already, or a new one. */
static struct question *question_for(const char *name, size_t len)
{
	char key[TARGET_NAME_MAX + 1] = "";
	size_t n = 0;
	bool askable = normalise(name, len, key, &n);
	struct question *q = askable ? find_asking(key, n) : NULL;

	if (q)
		return q;
	q = question_new(key, n);
	if (!q)
		return NULL;
	if (!askable || lookup(key, n, &q->result)) {
		counters.hits += askable;
		finish(q);
	} else if (n_questions > ASKING_MAX) {
		counters.refused++;
		log_warn("too many names are being resolved at once, one was refused limit=%d", ASKING_MAX);
		finish(q);
	} else {
		question_ask(q);
	}
	return q;
}

struct resolve_query *resolve_start(const char *name, size_t len, resolve_done *done, void *owner)
{
	struct resolve_query *a = malloc(sizeof(*a));
	struct question *q;

	if (!a)
		return NULL;
	q = question_for(name, len);
	if (!q) {
		free(a);
		return NULL;
	}
	counters.asked++;
	a->done = done;
	a->owner = owner;
	list_append(&q->askers, &a->node);
	return a;
}

void resolve_doubt(const char *name, size_t len)
{
	char key[TARGET_NAME_MAX + 1];
	size_t n;

	if (normalise(name, len, key, &n))
		resolve_cache_drop(&cache, key, n, loop_now(), DOUBT_MS);
}

/* Its askers wait for the same question, asked anew. Without memory they go on waiting. */
static void ask_again(struct question *q)
{
	struct question *fresh;

	stop_asking(q);
	q->stale = true;
	fresh = list_empty(&q->askers) ? NULL : question_for(q->name, q->len);
	while (fresh && !list_empty(&q->askers))
		list_move_last(&fresh->askers, q->askers.next);
}

void resolve_network_changed(void)
{
	struct list before;

	resolve_cache_expire(&cache, UINT64_MAX);
	resolve_channel_renew();
	/* Questions that come meanwhile stand in `questions` alone. */
	list_init(&before);
	while (!list_empty(&questions))
		list_move_last(&before, questions.next);
	while (!list_empty(&before)) {
		struct question *q = container_of(before.next, struct question, all);

		list_move_last(&questions, &q->all);
		if (q->asking)
			ask_again(q);
	}
}

void resolve_cancel(struct resolve_query *a)
{
	list_remove(&a->node);
	free(a);
}

/* ---- life ---- */

uint32_t resolve_flush(void)
{
	uint32_t n = cache.count;

	if (n)
		resolve_cache_expire(&cache, UINT64_MAX);
	return n;
}

const struct resolve_counters *resolve_counters(void)
{
	counters.cached = cache.count;
	return &counters;
}

/* ---- another config ---- */

/* Its file is read. */
static int load_hosts(struct hosts *h, const char *file, char *err, size_t err_size)
{
	hosts_init(h, file, true);
	return file ? hosts_load(h, err, err_size) : 0;
}

static int explain_servers(const char *servers, int ret, char *err, size_t err_size)
{
	if (ret < 0)
		snprintf(err, err_size, "nameserver \"%s\": not a list of up to 8 IP addresses, each with an optional port", servers);
	return ret;
}

static uint32_t cache_max(const struct resolve_options *o)
{
	return o->cache_max ? o->cache_max : CACHE_MAX;
}

int resolve_prepare(const struct resolve_options *o, char *err, size_t err_size)
{
	int ret = explain_servers(o->servers, resolve_channel_prepare(o->servers, o->captured, o->rules), err, err_size);

	fresh_max = cache_max(o);
	return ret < 0 ? ret : load_hosts(&fresh_hosts, o->hosts_file, err, err_size);
}

void resolve_withdraw(void)
{
	hosts_free(&fresh_hosts);
}

void resolve_apply(void)
{
	hosts_free(&own_hosts);
	own_hosts = fresh_hosts;
	memset(&fresh_hosts, 0, sizeof(fresh_hosts));
	if (resolve_channel_apply())
		resolve_network_changed(); /* nobody waits for the servers of before, or is told what they say */
	else if (fresh_max < cache.max)
		resolve_flush();
	cache.max = fresh_max;
}

/* ---- life ---- */

int resolve_init(const struct resolve_options *o, char *err, size_t err_size)
{
	int ret;

	memset(&counters, 0, sizeof(counters));
	list_init(&questions);
	list_init(&finished);
	n_questions = 0;
	hosts_init(&own_hosts, NULL, true);
	hosts_init(&etc_hosts, "/etc/hosts", false);
	ret = explain_servers(o->servers, resolve_channel_init(o->servers, o->captured, o->rules), err, err_size);
	if (ret == 0)
		ret = load_hosts(&own_hosts, o->hosts_file, err, err_size);
	if (ret < 0)
		return ret;
	if (hash_init(&asking) < 0 || resolve_cache_init(&cache, cache_max(o)) < 0) {
		snprintf(err, err_size, "out of memory");
		hosts_free(&own_hosts);
		hash_free(&asking);
		return -ENOMEM;
	}
	return 0;
}

void resolve_free(void)
{
	resolve_channel_free();
	loop_defer_cancel(&tell_work);
	loop_timer_stop(&expire_timer);
	list_for_each_safe(it, &questions)
		question_free(container_of(it, struct question, all));
	hash_free(&asking);
	resolve_cache_free(&cache);
	hosts_free(&own_hosts);
	hosts_free(&etc_hosts);
}
