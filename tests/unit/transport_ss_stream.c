/* A Shadowsocks stream over an in-memory stream: what an owner of a stream may
 * rely on, for every method and both roles. */
#include "vectors.h"

#include <errno.h>

#include "base/clock.h"
#include "crypto/random.h"
#include "io/slice.h"
#include "loop/loop.h"
#include "proto/ss_stream.h"
#include "transport/ss_stream.h"

#define MAX (1u << 21)

static bool in_call; /* inside a call to a stream: no event may come */
#define CALL(expr) \
	do { \
		in_call = true; \
		expr; \
		in_call = false; \
	} while (0)

/* ---- the loop, turned by hand ---- */

static void stop(struct loop_work *w)
{
	(void)w;
	loop_stop();
}

/* Runs all deferred work. */
static void turn(void)
{
	static struct loop_work work;

	loop_defer(&work, stop);
	loop_run();
}

static void on_time(struct loop_timer *t)
{
	(void)t;
	loop_stop();
}

static void wait_ms(unsigned ms)
{
	static struct loop_timer timer;

	loop_timer_start(&timer, ms, on_time);
	loop_run();
}

/* ---- the stream below ---- */

struct fake {
	struct stream stream;
	bool want_data, want_room, shut, ended, fin;
	enum flow_end why;
	uint8_t *in, *out;
	size_t in_off, in_len, out_len, space, max_accept;
	unsigned writes;
};

static struct fake *fake_of(const struct stream *s)
{
	return (struct fake *)(uintptr_t)s;
}

static ssize_t fake_write(struct stream *s, const struct slice *v, int n)
{
	struct fake *f = fake_of(s);
	size_t took = 0;

	assert_false(f->shut || f->ended);
	f->writes++;
	for (int i = 0; i < n; i++)
		for (uint32_t k = 0; k < v[i].len && f->space && took < f->max_accept; k++, took++, f->space--)
			f->out[f->out_len++] = slice_data(&v[i])[k];
	return (ssize_t)took;
}

static size_t fake_space(const struct stream *s)
{
	return fake_of(s)->space;
}

static void fake_want(struct stream *s, bool data, bool room)
{
	struct fake *f = fake_of(s);

	assert_false(f->ended);
	f->want_data = data;
	f->want_room = room;
}

static void fake_shut(struct stream *s)
{
	fake_of(s)->shut = true;
}

static void fake_end(struct stream *s, enum flow_end why)
{
	assert_false(fake_of(s)->ended);
	fake_of(s)->ended = true;
	fake_of(s)->why = why;
}

static const struct stream_ops fake_ops = { NULL, fake_write, fake_space, fake_want, fake_shut, fake_end };

static void fake_open(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	f->stream.ops = &fake_ops;
	f->in = malloc(MAX);
	f->out = malloc(MAX);
	f->space = f->max_accept = MAX;
}

static void fake_close(struct fake *f)
{
	free(f->in);
	free(f->out);
}

/* Bytes arrive in reads of at most `step`; the first read has at least `first`. */
static void fake_pump(struct fake *f, size_t first, size_t step)
{
	while (f->want_data && !f->ended && f->in_len > f->in_off) {
		size_t len = f->in_len - f->in_off, want = first > step ? first : step;

		len = len < want ? len : want;
		first = 0;
		len = len < BUF_LARGE ? len : BUF_LARGE;
		struct buf *b = buf_get((uint32_t)len);
		struct slice v[2] = { { b, 0, (uint32_t)len }, { b, 0, 0 } };
		int n = 1;

		if (len > 200) { /* two slices of one event */
			v[0].len = 100;
			v[1] = (struct slice){ b, 100, (uint32_t)len - 100 };
			n = 2;
		}
		memcpy(b->data, f->in + f->in_off, len);
		size_t taken = f->stream.events->data(f->stream.owner, v, n);

		assert_true(taken <= len);
		buf_unref(b);
		f->in_off += taken;
		if (taken < len)
			f->want_data = false;
	}
	if (f->fin && f->want_data && !f->ended && f->in_len == f->in_off) {
		f->fin = false;
		f->stream.events->fin(f->stream.owner);
	}
}

static void fake_feed(struct fake *f, const uint8_t *data, size_t len)
{
	memcpy(f->in + f->in_len, data, len);
	f->in_len += len;
}

/* ---- the owner above ---- */

struct owner {
	struct stream *s;
	uint8_t *got;
	size_t len, take; /* take: bytes taken per data event at most */
	unsigned events, rooms, fins, ends;
	enum flow_end why;
	bool end_in_data, pause_in_data;
};

static size_t owner_data(void *owner, const struct slice *v, int n)
{
	struct owner *o = owner;
	size_t left = o->take, taken = 0;

	assert_false(in_call);
	assert_int_equal(o->fins + o->ends, 0);
	o->events++;
	for (int i = 0; i < n; i++) {
		size_t len = v[i].len < left ? v[i].len : left;

		memcpy(o->got + o->len, slice_data(&v[i]), len);
		memset(slice_data(&v[i]), 0xee, len); /* allowed: what is taken may be overwritten */
		o->len += len;
		left -= len;
		taken += len;
	}
	if (o->pause_in_data)
		stream_want(o->s, false, false);
	if (o->end_in_data)
		stream_end(o->s, END_CLIENT_RESET);
	return taken;
}

static void owner_room(void *owner)
{
	assert_false(in_call);
	((struct owner *)owner)->rooms++;
}

static void owner_fin(void *owner)
{
	assert_false(in_call);
	((struct owner *)owner)->fins++;
}

static void owner_ended(void *owner, enum flow_end why)
{
	struct owner *o = owner;

	assert_false(in_call);
	o->ends++;
	o->why = why;
}

static const struct stream_events owner_events = { owner_data, owner_room, owner_fin, owner_ended };

static void owner_bind(struct owner *o, struct stream *s)
{
	memset(o, 0, sizeof(*o));
	o->s = s;
	o->got = malloc(MAX);
	o->take = MAX;
	stream_bind(s, &owner_events, o);
}

static void owner_close(struct owner *o, enum flow_end why)
{
	if (o->s)
		CALL(stream_end(o->s, why));
	free(o->got);
	turn();
}

static size_t put(struct stream *s, const uint8_t *data, size_t len, size_t piece)
{
	size_t done = 0;

	while (done < len) {
		struct slice v[16];
		size_t offered = 0;
		ssize_t rc;
		int n = 0;

		for (; n < 16 && done + offered < len; n++) {
			size_t part = len - done - offered < piece ? len - done - offered : piece;
			struct buf *b = buf_get((uint32_t)part);

			memcpy(b->data, data + done + offered, part);
			v[n] = (struct slice){ b, 0, (uint32_t)part };
			offered += part;
		}
		CALL(rc = stream_write(s, v, n));
		for (int i = 0; i < n; i++)
			slice_unref(v[i]);
		assert_true(rc >= 0 && (size_t)rc <= offered);
		done += (size_t)rc;
		if ((size_t)rc < offered)
			break;
	}
	return done;
}

/* ---- a client and a server, joined by hand ---- */

struct pair {
	struct ss_stream_config cfg;
	struct salt_store *salts;
	uint8_t key[32];
	struct fake below_client, below_server;
	struct owner client, server;
	struct ss_accept *accept;
	struct target wanted, got;
	bool accepted, rejected;
	enum flow_end why;
};

static void on_accepted(void *owner, struct stream *s, const struct target *t)
{
	struct pair *p = owner;

	assert_false(in_call);
	p->accepted = true;
	p->got = *t;
	owner_bind(&p->server, s);
}

static void on_rejected(void *owner, struct stream *under, enum flow_end why)
{
	struct pair *p = owner;

	assert_false(in_call);
	assert_ptr_equal(under, &p->below_server.stream);
	assert_null(under->events);
	assert_false(p->below_server.want_data);
	p->rejected = true;
	p->why = why;
}

static const struct ss_accept_events accept_events = { on_accepted, on_rejected };

static void pair_accept(struct pair *p)
{
	fake_open(&p->below_server);
	p->accepted = p->rejected = false;
	CALL(p->accept = ss_stream_accept(&p->below_server.stream, &p->cfg, p->salts, &accept_events, p));
	assert_non_null(p->accept);
	assert_true(p->below_server.want_data);
}

static void pair_open(struct pair *p, const struct ss_method *m)
{
	memset(p, 0, sizeof(*p));
	random_bytes(p->key, sizeof(p->key));
	p->cfg = (struct ss_stream_config){ .method = m, .key = p->key };
	p->salts = salt_store_new(60000, 1000);
	assert_int_equal(target_parse("example.com:80", &p->wanted), 0);
	fake_open(&p->below_client);
	struct stream *s;

	CALL(s = ss_stream_client(&p->below_client.stream, &p->cfg, &p->wanted));
	assert_non_null(s);
	owner_bind(&p->client, s);
	pair_accept(p);
}

/* The first read that a server must get whole. */
static size_t first_read(const struct pair *p)
{
	return p->cfg.method->sip022 ? p->cfg.method->key_len + 27u : 0;
}

/* Client's bytes to the server. */
static void carry_up(struct pair *p, size_t step)
{
	struct fake *f = &p->below_client;

	fake_feed(&p->below_server, f->out, f->out_len);
	f->out_len = 0;
	fake_pump(&p->below_server, p->accepted ? 0 : first_read(p), step);
	turn();
}

static void carry_down(struct pair *p, size_t step)
{
	struct fake *f = &p->below_server;

	fake_feed(&p->below_client, f->out, f->out_len);
	f->out_len = 0;
	fake_pump(&p->below_client, 0, step);
	turn();
}

/* After the request: the server's owner wants what there is. */
static void pair_establish(struct pair *p)
{
	assert_int_equal(put(p->client.s, (const uint8_t *)"GET /", 5, 5), 5);
	carry_up(p, MAX);
	assert_true(p->accepted);
	CALL(stream_want(p->server.s, true, false));
	turn();
	assert_int_equal(p->server.len, 5);
	p->server.len = 0;
	CALL(stream_want(p->client.s, true, false));
}

static void pair_close(struct pair *p)
{
	if (p->accepted)
		owner_close(&p->server, END_DONE);
	owner_close(&p->client, END_DONE);
	turn();
	fake_close(&p->below_client);
	fake_close(&p->below_server);
	salt_store_free(p->salts);
	assert_int_equal(buf_pool_used(), 0);
}

#define EACH_METHOD(p) \
	for (int i_ = 0; ss_method_at(i_) && (pair_open(p, ss_method_at(i_)), true); i_++, pair_close(p))

static uint8_t bytes[MAX];

/* ---- the tests ---- */

static void both_ways_whole_and_in_order(void **state)
{
	static const size_t steps[] = { 1, 2, 19, 1000, 20000, MAX }, pieces[] = { 7, 1460, 65000 };
	static struct pair p;

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++)
			EACH_METHOD(&p) {
				size_t len = steps[i] < 10 ? 40000 : 150001;

				pair_establish(&p);
				assert_true(addr_equal(&p.got.ip, &p.wanted.ip));
				assert_string_equal(p.got.name, "example.com");
				assert_int_equal(put(p.client.s, bytes, len, pieces[k]), len);
				carry_up(&p, steps[i]);
				assert_int_equal(p.server.len, len);
				assert_memory_equal(p.server.got, bytes, len);
				assert_int_equal(put(p.server.s, bytes, len, pieces[k]), len);
				carry_down(&p, steps[i]);
				assert_int_equal(p.client.len, len);
				assert_memory_equal(p.client.got, bytes, len);
				assert_int_equal(buf_pool_used(), 0); /* idle: no buffer */
			}
}

/* Salt, header and first payload leave in one write. */
static void first_payload_travels_with_the_header(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		assert_int_equal(put(p.client.s, bytes, 100, 50), 100);
		assert_int_equal(p.below_client.writes, 1);
		wait_ms(25);
		assert_int_equal(p.below_client.writes, 1);
		carry_up(&p, MAX);
		assert_true(p.accepted);
		assert_false(p.below_server.want_data); /* nothing is read until the owner wants */
		CALL(stream_want(p.server.s, true, false));
		turn();
		assert_int_equal(p.server.len, 100);
		assert_int_equal(put(p.server.s, bytes, 100, 100), 100);
		assert_int_equal(p.below_server.writes, 1);
	}
}

/* A client that waits for the server's greeting gets its header sent. */
static void header_goes_alone_after_10_ms(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		turn();
		assert_int_equal(p.below_client.writes, 0);
		wait_ms(25);
		assert_int_equal(p.below_client.writes, 1);
		if (!p.cfg.method->sip022)
			assert_int_equal(p.below_client.out_len, p.cfg.method->key_len + 34u + 15u);
		carry_up(&p, MAX);
		assert_true(p.accepted);
		CALL(stream_want(p.server.s, true, false));
		turn();
		assert_int_equal(p.server.len, 0);
		put(p.server.s, bytes, 10, 10);
		CALL(stream_want(p.client.s, true, false));
		carry_down(&p, MAX);
		assert_int_equal(p.client.len, 10);
		put(p.client.s, bytes, 10, 10);
		carry_up(&p, MAX);
		assert_int_equal(p.server.len, 10);
	}
}

static void half_closes_are_carried(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		put(p.client.s, bytes, 30000, 1000);
		CALL(stream_shut(p.client.s));
		assert_true(p.below_client.shut);
		carry_up(&p, 777);
		p.below_server.fin = true;
		fake_pump(&p.below_server, 0, 777);
		turn();
		assert_int_equal(p.server.len, 30000);
		assert_int_equal(p.server.fins, 1);
		assert_int_equal(put(p.server.s, bytes, 30000, 1000), 30000);
		carry_down(&p, 777);
		CALL(stream_shut(p.server.s));
		p.below_client.fin = true;
		fake_pump(&p.below_client, 0, 777);
		assert_int_equal(p.client.len, 30000);
		assert_int_equal(p.client.fins, 1);
		assert_int_equal(p.client.ends + p.server.ends, 0);
		struct slice none = { 0 };

		assert_int_equal(stream_write(p.client.s, &none, 0), -EPIPE);
	}
}

/* An app that only connects and closes still reaches its target. */
static void shut_before_any_payload_sends_the_header(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		CALL(stream_shut(p.client.s));
		assert_int_equal(p.below_client.writes, 1);
		assert_true(p.below_client.shut);
		p.below_server.fin = true;
		carry_up(&p, MAX);
		assert_true(p.accepted);
		CALL(stream_want(p.server.s, true, false));
		turn();
		fake_pump(&p.below_server, 0, MAX);
		turn();
		assert_int_equal(p.server.fins, 1);
	}
}

/* A server that says nothing and closes failed; only a SIP004 server of ours can say that it was no failure. */
static void no_reply_is_not_an_end(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		p.below_client.fin = true;
		fake_pump(&p.below_client, 0, MAX);
		turn();
		assert_int_equal(p.client.fins, 0);
		assert_int_equal(p.client.ends, 1);
		assert_int_equal(p.client.why, END_NO_REPLY);
	}
	EACH_METHOD(&p) {
		pair_establish(&p);
		CALL(stream_shut(p.server.s));
		assert_int_equal(p.below_server.out_len, p.cfg.method->sip022 ? 0 : p.cfg.method->key_len);
		p.below_client.fin = true;
		carry_down(&p, MAX);
		assert_int_equal(p.client.fins, p.cfg.method->sip022 ? 0 : 1);
	}
}

/* Cut anywhere but at a chunk's end: an error, after all that was whole. */
static void truncation_is_not_an_end(void **state)
{
	static struct pair p;

	(void)state;
	for (size_t cut = 1;; cut++) {
		unsigned longer = 0;

		EACH_METHOD(&p) {
			pair_establish(&p);
			put(p.server.s, bytes, 10, 10);
			size_t first = p.below_server.out_len;

			put(p.server.s, bytes, 20, 20);
			size_t all = p.below_server.out_len;

			if (cut > all)
				continue;
			longer++;
			p.below_server.out_len = cut;
			p.below_client.fin = true;
			carry_down(&p, 11);
			bool whole = cut == first || cut == all || (!p.cfg.method->sip022 && cut == p.cfg.method->key_len);

			assert_int_equal(p.client.fins, whole);
			assert_int_equal(p.client.ends, !whole);
			if (!whole)
				assert_int_equal(p.client.why, END_TRUNCATED);
			assert_int_equal(p.client.len, cut == all ? 30 : cut >= first ? 10 : 0);
		}
		if (!longer)
			break;
	}
}

/* Kernel sockets receive into one arena: what lies between two slices of ours is somebody else's. */
static void bytes_between_slices_are_left_alone(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		struct buf *b = buf_get(BUF_MEDIUM);
		struct slice v[3];
		uint32_t at = 0;

		pair_establish(&p);
		memset(b->data, 0x77, b->size);
		for (int i = 0; i < 3; i++) { /* two chunks in each slice, then 100 foreign bytes */
			put(p.server.s, bytes + 800 * i, 400, 400);
			put(p.server.s, bytes + 800 * i + 400, 400, 400);
			v[i] = (struct slice){ b, at, (uint32_t)p.below_server.out_len };
			memcpy(b->data + at, p.below_server.out, p.below_server.out_len);
			at += v[i].len + 100;
			p.below_server.out_len = 0;
		}
		p.below_client.stream.events->data(p.below_client.stream.owner, v, 3);
		assert_int_equal(p.client.len, 2400);
		assert_memory_equal(p.client.got, bytes, 2400);
		for (int i = 0; i < 3; i++)
			for (uint32_t k = 0; k < 100; k++)
				assert_int_equal(b->data[v[i].off + v[i].len + k], 0x77);
		buf_unref(b);
	}
}

static void forgery_ends_it_after_what_was_good(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		put(p.server.s, bytes, 1000, 1000);
		put(p.server.s, bytes, 1000, 1000);
		p.below_server.out[p.below_server.out_len - 3] ^= 1;
		carry_down(&p, MAX);
		assert_int_equal(p.client.len, 1000);
		assert_int_equal(p.client.ends, 1);
		assert_int_equal(p.client.why, END_FORGED);
		assert_false(p.below_client.want_data);
		struct slice none = { 0 };

		assert_int_equal(stream_write(p.client.s, &none, 0), -EPIPE);
	}
}

/* What the owner does not take waits, and the peer is held back meanwhile. */
static void partial_takes_hold_the_peer_back(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		put(p.server.s, bytes, 100000, 5000);
		p.client.take = 3000;
		for (unsigned rounds = 0; p.client.len < 100000; rounds++) {
			assert_true(rounds < 40);
			size_t before = p.client.len;

			CALL(stream_want(p.client.s, true, false));
			turn();
			assert_true(p.client.len - before <= 3000);
			carry_down(&p, 40000); /* once more, if all that waited was taken */
			assert_true(p.client.len > before && p.client.len - before <= 6000);
			if (p.client.len < 100000)
				assert_false(p.below_client.want_data);
		}
		assert_memory_equal(p.client.got, bytes, 100000);
	}
}

static void pause_in_data_is_obeyed(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		for (int i = 0; i < 300; i++) /* many chunks: several batches of one read */
			put(p.server.s, bytes + i * 600, 600, 600);
		p.client.pause_in_data = true;
		carry_down(&p, 100000);
		assert_int_equal(p.client.events, 1);
		p.client.pause_in_data = false;
		for (int i = 0; i < 5; i++) {
			CALL(stream_want(p.client.s, true, false));
			turn();
			carry_down(&p, 100000);
		}
		assert_int_equal(p.client.len, 180000);
		assert_memory_equal(p.client.got, bytes, 180000);
	}
}

/* space() is a promise, what is sealed always fits below, and room is told once. */
static void writes_never_exceed_the_room_below(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		size_t done = 0;

		pair_establish(&p);
		for (size_t space = 0; done < 60000; space = space * 5 / 4 + 1) {
			size_t promised, took;

			p.below_client.space = space;
			promised = stream_space(p.client.s);
			took = put(p.client.s, bytes + done, 60000 - done, 1300);
			assert_true(took >= (promised < 60000 - done ? promised : 60000 - done));
			done += took;
		}
		carry_up(&p, MAX);
		assert_int_equal(p.server.len, 60000);
		assert_memory_equal(p.server.got, bytes, 60000);
		CALL(stream_want(p.client.s, true, true));
		assert_true(p.below_client.want_room);
		p.below_client.stream.events->room(p.below_client.stream.owner);
		p.below_client.stream.events->room(p.below_client.stream.owner);
		assert_int_equal(p.client.rooms, 1);
	}
}

/* A stream below that breaks its word costs the flow, not the process. */
static void a_short_write_below_ends_it(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		p.below_client.max_accept = 50;
		put(p.client.s, bytes, 1000, 1000);
		assert_int_equal(p.client.ends, 0); /* not from inside the call */
		turn();
		assert_int_equal(p.client.ends, 1);
		assert_int_equal(p.client.why, END_LIMIT);
	}
}

static void out_of_buffers_is_waited_out(void **state)
{
	static struct pair p;
	uint8_t one[1];

	(void)state;
	EACH_METHOD(&p) {
		struct buf *b = buf_get(1);
		struct slice v = { b, 0, 1 };
		ssize_t rc;

		pair_establish(&p);
		b->data[0] = one[0] = 9;
		buf_pool_set_budget(1);
		CALL(rc = stream_write(p.client.s, &v, 1));
		assert_int_equal(rc, 0);
		CALL(stream_want(p.client.s, true, true));
		turn();
		assert_int_equal(p.client.rooms, 0);
		buf_pool_set_budget(0);
		wait_ms(25);
		assert_int_equal(p.client.rooms, 1);
		CALL(rc = stream_write(p.client.s, &v, 1));
		assert_int_equal(rc, 1);
		buf_unref(b);
		carry_up(&p, MAX);
		assert_int_equal(p.server.len, 1);
		assert_memory_equal(p.server.got, one, 1);
	}
}

static void the_owner_may_end_it_inside_an_event(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		put(p.server.s, bytes, 50000, 50000);
		p.client.end_in_data = true;
		carry_down(&p, MAX);
		assert_int_equal(p.client.events, 1);
		assert_true(p.below_client.ended);
		assert_int_equal(p.below_client.why, END_CLIENT_RESET);
		p.client.s = NULL; /* freed in the deferred pass */
	}
}

static void an_end_below_is_passed_on(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		pair_establish(&p);
		p.below_client.stream.events->ended(p.below_client.stream.owner, END_REMOTE_RESET);
		assert_int_equal(p.client.ends, 1);
		assert_int_equal(p.client.why, END_REMOTE_RESET);
		p.below_server.stream.events->ended(p.below_server.stream.owner, END_REMOTE_RESET);
		assert_int_equal(p.server.ends, 1);
	}
}

/* ---- what a server refuses ---- */

/* Feeds one connection and expects it back with `why`, untouched. */
static void expect_rejected(struct pair *p, const uint8_t *wire, size_t len, size_t first, bool fin, enum flow_end why)
{
	fake_close(&p->below_server);
	pair_accept(p);
	fake_feed(&p->below_server, wire, len);
	p->below_server.fin = fin;
	fake_pump(&p->below_server, first, MAX);
	turn();
	assert_true(p->rejected);
	assert_false(p->accepted);
	assert_int_equal(p->why, why);
	assert_int_equal(p->below_server.writes, 0);
	assert_false(p->below_server.shut || p->below_server.ended);
}

static void forget_salts(struct pair *p)
{
	salt_store_free(p->salts);
	p->salts = salt_store_new(60000, 1000);
}

static void bad_beginnings(void **state)
{
	static struct pair p;
	uint8_t wire[4096], bad[4096];

	(void)state;
	EACH_METHOD(&p) {
		put(p.client.s, bytes, 300, 300);
		size_t len = p.below_client.out_len;

		memcpy(wire, p.below_client.out, len);
		CALL(ss_stream_accept_cancel(p.accept));
		turn();
		/* Nobody's bytes, a flipped bit in each box, an early end. */
		random_bytes(bad, sizeof(bad));
		expect_rejected(&p, bad, 600, 600, false, END_FORGED);
		memcpy(bad, wire, len);
		bad[p.cfg.method->key_len + 1] ^= 1;
		expect_rejected(&p, bad, len, len, false, END_FORGED);
		memcpy(bad, wire, len);
		bad[len - 1] ^= 1;
		expect_rejected(&p, bad, len, len, false, END_FORGED);
		forget_salts(&p);
		expect_rejected(&p, wire, len - 1, len, true, END_TRUNCATED);
		expect_rejected(&p, wire, 0, len, true, END_TRUNCATED);
	}
	/* SIP022: the header in two reads; then the good one, and its replay. */
	EACH_METHOD(&p) {
		put(p.client.s, bytes, 300, 300);
		size_t len = p.below_client.out_len, head = first_read(&p);

		memcpy(wire, p.below_client.out, len);
		CALL(ss_stream_accept_cancel(p.accept));
		turn();
		if (head)
			expect_rejected(&p, wire, head - 1, head - 1, false, END_TRUNCATED);
		fake_close(&p.below_server);
		pair_accept(&p);
		carry_up(&p, MAX);
		assert_true(p.accepted);
		owner_close(&p.server, END_DONE);
		expect_rejected(&p, wire, len, len, false, END_REPLAY);
	}
}

/* A salt that was only forged, not replayed, is not remembered. */
static void forged_salts_do_not_fill_the_store(void **state)
{
	static struct pair p;
	uint8_t bad[4096];

	(void)state;
	EACH_METHOD(&p) {
		CALL(ss_stream_accept_cancel(p.accept));
		turn();
		for (int i = 0; i < 20; i++) {
			random_bytes(bad, 600);
			expect_rejected(&p, bad, 600, 600, false, END_FORGED);
		}
		assert_int_equal(salt_store_count(p.salts), 0);
	}
}

/* 31 s off is END_CLOCK on both sides, 29 s is not. */
static void clocks(void **state)
{
	static const struct {
		int64_t skew;
		bool ok;
	} cases[] = { { 29, true }, { -29, true }, { 32, false }, { -32, false } };
	static struct pair p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		EACH_METHOD(&p) {
			const struct ss_method *m = p.cfg.method;
			uint64_t then = clock_unix() + (uint64_t)cases[i].skew;
			uint8_t salt[32], wire[1024];
			struct ss_sealer s;
			size_t n;

			CALL(ss_stream_accept_cancel(p.accept));
			turn();
			if (!m->sip022) {
				fake_close(&p.below_server);
				pair_accept(&p);
				CALL(ss_stream_accept_cancel(p.accept));
				turn();
				continue;
			}
			random_bytes(salt, sizeof(salt));
			ss_sealer_init(&s, m, p.key, salt);
			n = ss_seal_request(&s, salt, then, &p.wanted, 9, 0, wire);
			ss_sealer_wipe(&s);
			if (!cases[i].ok)
				expect_rejected(&p, wire, n, n, false, END_CLOCK);
			else {
				fake_close(&p.below_server);
				pair_accept(&p);
				fake_feed(&p.below_server, wire, n);
				fake_pump(&p.below_server, n, MAX);
				assert_true(p.accepted);
			}
			/* The client judges the server's clock the same way. */
			put(p.client.s, bytes, 10, 10);
			CALL(stream_want(p.client.s, true, false));
			memcpy(salt, p.below_client.out, m->key_len);
			uint8_t own[32] = { 1 };

			ss_sealer_init(&s, m, p.key, own);
			memcpy(wire + ss_response_offset(m), bytes, 10);
			n = ss_seal_response(&s, own, then, salt, 10, wire);
			ss_sealer_wipe(&s);
			fake_feed(&p.below_client, wire, n);
			fake_pump(&p.below_client, 0, MAX);
			assert_int_equal(p.client.len, cases[i].ok ? 10 : 0);
			assert_int_equal(p.client.ends, !cases[i].ok);
			if (!cases[i].ok)
				assert_int_equal(p.client.why, END_CLOCK);
		}
}

static void cancel_gives_the_stream_back(void **state)
{
	static struct pair p;

	(void)state;
	EACH_METHOD(&p) {
		CALL(ss_stream_accept_cancel(p.accept));
		assert_null(p.below_server.stream.events);
		assert_false(p.below_server.want_data || p.below_server.ended);
		turn();
		assert_false(p.accepted || p.rejected);
	}
}

static int set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	return loop_init();
}

static int tear_down(void **state)
{
	(void)state;
	loop_free();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways_whole_and_in_order),
		cmocka_unit_test(first_payload_travels_with_the_header),
		cmocka_unit_test(header_goes_alone_after_10_ms),
		cmocka_unit_test(half_closes_are_carried),
		cmocka_unit_test(shut_before_any_payload_sends_the_header),
		cmocka_unit_test(no_reply_is_not_an_end),
		cmocka_unit_test(truncation_is_not_an_end),
		cmocka_unit_test(bytes_between_slices_are_left_alone),
		cmocka_unit_test(forgery_ends_it_after_what_was_good),
		cmocka_unit_test(partial_takes_hold_the_peer_back),
		cmocka_unit_test(pause_in_data_is_obeyed),
		cmocka_unit_test(writes_never_exceed_the_room_below),
		cmocka_unit_test(a_short_write_below_ends_it),
		cmocka_unit_test(out_of_buffers_is_waited_out),
		cmocka_unit_test(the_owner_may_end_it_inside_an_event),
		cmocka_unit_test(an_end_below_is_passed_on),
		cmocka_unit_test(bad_beginnings),
		cmocka_unit_test(forged_salts_do_not_fill_the_store),
		cmocka_unit_test(clocks),
		cmocka_unit_test(cancel_gives_the_stream_back),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
