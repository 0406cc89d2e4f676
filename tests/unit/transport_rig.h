/* The rig of the transport tests: a client's and a server's Shadowsocks stream,
 * each over an in-memory stream, carried across by hand. */
#ifndef GATUN_TESTS_TRANSPORT_RIG_H
#define GATUN_TESTS_TRANSPORT_RIG_H

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

static inline void stop(struct loop_work *w)
{
	(void)w;
	loop_stop();
}

/* Runs all deferred work. */
static inline void turn(void)
{
	static struct loop_work work;

	loop_defer(&work, stop);
	loop_run();
}

static inline void on_time(struct loop_timer *t)
{
	(void)t;
	loop_stop();
}

static inline void wait_ms(unsigned ms)
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

static inline struct fake *fake_of(const struct stream *s)
{
	return (struct fake *)(uintptr_t)s;
}

static inline ssize_t fake_write(struct stream *s, const struct slice *v, int n)
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

static inline size_t fake_space(const struct stream *s)
{
	return fake_of(s)->space;
}

static inline void fake_want(struct stream *s, bool data, bool room)
{
	struct fake *f = fake_of(s);

	assert_false(f->ended);
	f->want_data = data;
	f->want_room = room;
}

static inline void fake_shut(struct stream *s)
{
	fake_of(s)->shut = true;
}

static inline void fake_end(struct stream *s, enum flow_end why)
{
	assert_false(fake_of(s)->ended);
	fake_of(s)->ended = true;
	fake_of(s)->why = why;
}

static const struct stream_ops fake_ops = {
	.write = fake_write,
	.space = fake_space,
	.want = fake_want,
	.shut = fake_shut,
	.end = fake_end,
};

static inline void fake_open(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	f->stream.ops = &fake_ops;
	f->in = malloc(MAX);
	f->out = malloc(MAX);
	f->space = f->max_accept = MAX;
}

static inline void fake_close(struct fake *f)
{
	free(f->in);
	free(f->out);
}

/* Bytes arrive in reads of at most `step`; the first read has at least `first`. */
static inline void fake_pump(struct fake *f, size_t first, size_t step)
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

static inline void fake_feed(struct fake *f, const uint8_t *data, size_t len)
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

static inline size_t owner_data(void *owner, const struct slice *v, int n)
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

static inline void owner_room(void *owner)
{
	assert_false(in_call);
	((struct owner *)owner)->rooms++;
}

static inline void owner_fin(void *owner)
{
	assert_false(in_call);
	((struct owner *)owner)->fins++;
}

static inline void owner_ended(void *owner, enum flow_end why)
{
	struct owner *o = owner;

	assert_false(in_call);
	o->ends++;
	o->why = why;
}

static const struct stream_events owner_events = { owner_data, owner_room, owner_fin, owner_ended };

static inline void owner_bind(struct owner *o, struct stream *s)
{
	memset(o, 0, sizeof(*o));
	o->s = s;
	o->got = malloc(MAX);
	o->take = MAX;
	stream_bind(s, &owner_events, o);
}

static inline void owner_close(struct owner *o, enum flow_end why)
{
	if (o->s)
		CALL(stream_end(o->s, why));
	free(o->got);
	turn();
}

static inline size_t put(struct stream *s, const uint8_t *data, size_t len, size_t piece)
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

static inline void on_accepted(void *owner, struct stream *s, const struct target *t)
{
	struct pair *p = owner;

	assert_false(in_call);
	p->accepted = true;
	p->got = *t;
	owner_bind(&p->server, s);
}

static inline void on_rejected(void *owner, struct stream *under, enum flow_end why)
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

static inline void pair_accept(struct pair *p)
{
	fake_open(&p->below_server);
	p->accepted = p->rejected = false;
	CALL(p->accept = ss_stream_accept(&p->below_server.stream, &p->cfg, p->salts, &accept_events, p));
	assert_non_null(p->accept);
	assert_true(p->below_server.want_data);
}

static inline void pair_open(struct pair *p, const struct ss_method *m)
{
	memset(p, 0, sizeof(*p));
	random_bytes(p->key, sizeof(p->key));
	p->cfg = (struct ss_stream_config){ .method = m, .key = p->key };
	p->salts = salt_store_new(60000, 1000);
	p->cfg.old_salts = salt_table_new(false);
	assert_int_equal(target_parse("example.com:80", &p->wanted), 0);
	fake_open(&p->below_client);
	struct stream *s;

	CALL(s = ss_stream_client(&p->below_client.stream, &p->cfg, &p->wanted));
	assert_non_null(s);
	owner_bind(&p->client, s);
	pair_accept(p);
}

/* The first read that a server must get whole. */
static inline size_t first_read(const struct pair *p)
{
	return p->cfg.method->sip022 ? p->cfg.method->key_len + 27u : 0;
}

/* Client's bytes to the server. */
static inline void carry_up(struct pair *p, size_t step)
{
	struct fake *f = &p->below_client;

	fake_feed(&p->below_server, f->out, f->out_len);
	f->out_len = 0;
	fake_pump(&p->below_server, p->accepted ? 0 : first_read(p), step);
	turn();
}

static inline void carry_down(struct pair *p, size_t step)
{
	struct fake *f = &p->below_server;

	fake_feed(&p->below_client, f->out, f->out_len);
	f->out_len = 0;
	fake_pump(&p->below_client, 0, step);
	turn();
}

/* After the request: the server's owner wants what there is. */
static inline void pair_establish(struct pair *p)
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

static inline void pair_close(struct pair *p)
{
	if (p->accepted)
		owner_close(&p->server, END_DONE);
	owner_close(&p->client, END_DONE);
	turn();
	fake_close(&p->below_client);
	fake_close(&p->below_server);
	salt_store_free(p->salts);
	salt_table_free(p->cfg.old_salts);
	assert_int_equal(buf_pool_used(), 0);
}

#define EACH_METHOD(p) \
	for (int i_ = 0; ss_method_at(i_) && (pair_open(p, ss_method_at(i_)), true); i_++, pair_close(p))

static uint8_t bytes[MAX];

static inline int set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	return loop_init();
}

static inline int tear_down(void **state)
{
	(void)state;
	loop_free();
	return 0;
}

#endif
