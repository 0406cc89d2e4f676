/*
 * What the tests of dns/ share: a stream and an outbound of the test's own,
 * and queries. A fake stream keeps what is written to it; the test says what
 * comes back.
 */
#ifndef TEST_DNS_FAKES_H
#define TEST_DNS_FAKES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/dns.h"
#include "dns/answer.h"
#include "dns/state.h"
#include "loop/loop.h"
#include "proto/dns_message.h"
#include "resolve/fakeip_impl.h"

struct fake {
	struct stream stream;
	size_t room, len;
	uint8_t written[16 * 1024];
	bool accepted, want_data, want_room, shut;
	int ended; /* -1: not yet */
};

static void fake_accept(struct stream *s)
{
	((struct fake *)s)->accepted = true;
}

static size_t fake_space(const struct stream *s)
{
	return ((const struct fake *)s)->room;
}

static void fake_shut(struct stream *s)
{
	((struct fake *)s)->shut = true;
}

static void fake_end(struct stream *s, enum flow_end why)
{
	assert_int_equal(((struct fake *)s)->ended, -1);
	((struct fake *)s)->ended = (int)why;
}

static ssize_t fake_write(struct stream *s, const struct slice *v, int n)
{
	struct fake *f = (struct fake *)s;
	ssize_t taken = 0;

	assert_int_equal(f->ended, -1);
	for (int i = 0; i < n && f->room; i++) {
		size_t len = v[i].len < f->room ? v[i].len : f->room;

		assert_true(f->len + len <= sizeof(f->written));
		memcpy(f->written + f->len, slice_data(&v[i]), len);
		f->len += len;
		f->room -= len;
		taken += (ssize_t)len;
	}
	return taken;
}

static void fake_want(struct stream *s, bool data, bool room)
{
	assert_int_equal(((struct fake *)s)->ended, -1);
	((struct fake *)s)->want_data = data;
	((struct fake *)s)->want_room = room;
}

static const struct stream_ops fake_stream_ops = {
	.accept = fake_accept,
	.write = fake_write,
	.space = fake_space,
	.want = fake_want,
	.shut = fake_shut,
	.end = fake_end,
};

static inline void fake_init(struct fake *f, size_t room)
{
	*f = (struct fake){ .stream.ops = &fake_stream_ops, .room = room, .ended = -1 };
}

/* Bytes come from the peer of f, in one buffer. Returns what was taken. */
static inline size_t fake_feed(struct fake *f, const void *data, size_t len)
{
	struct buf *b = buf_get((uint32_t)len);
	struct slice s = { b, 0, (uint32_t)len };
	size_t taken;

	assert_true(f->want_data);
	memcpy(b->data, data, len);
	taken = f->stream.events->data(f->stream.owner, &s, 1);
	buf_unref(b);
	return taken;
}

/* The n-th message written to f, without its length; NULL if there is none. */
static inline const uint8_t *fake_message(const struct fake *f, int n, size_t *len)
{
	size_t at = 0;

	*len = 0;
	while (f->len - at >= 2) {
		*len = (size_t)f->written[at] << 8 | f->written[at + 1];
		if (f->len - at - 2 < *len)
			return NULL;
		if (n-- == 0)
			return f->written + at + 2;
		at += 2 + *len;
	}
	return NULL;
}

/* ---- the outbound ---- */

static struct fake up; /* the connection to the upstream server */
static int dials, cancels;
static const struct dial_events *dialer;
static void *dialing;
static struct target dialed;

static struct dial *fake_connect(struct outbound *o, const struct target *t, const struct dial_events *e, void *owner)
{
	(void)o;
	dialed = *t;
	dialer = e;
	dialing = owner;
	dials++;
	return (struct dial *)&dialing;
}

static void fake_cancel(struct dial *d)
{
	(void)d;
	cancels++;
}

static const struct outbound_ops fake_outbound_ops = { .connect = fake_connect, .cancel = fake_cancel };
static struct outbound fake_outbound = { .ops = &fake_outbound_ops, .name = "fake" };

static inline void dial_opens(void)
{
	fake_init(&up, sizeof(up.written));
	dialer->opened(dialing, &up.stream);
}

static inline void dns_start(enum config_dns mode)
{
	struct dns_options o = { .mode = mode, .outbound = &fake_outbound };

	assert_int_equal(loop_init(), 0);
	assert_int_equal(target_parse("192.0.2.53:53", &o.upstream), 0);
	dials = cancels = 0;
	up.ended = -1;
	assert_int_equal(dns_init(&o), 0);
}

static inline void dns_stop(void)
{
	dns_free();
	loop_turn();
	loop_free();
	assert_int_equal(buf_pool_used(), 0);
}

/* Fixtures of cmocka. */
static inline int dns_setup_fake(void **state)
{
	(void)state;
	dns_start(DNS_FAKE);
	return 0;
}

static inline int dns_setup_upstream(void **state)
{
	(void)state;
	dns_start(DNS_UPSTREAM);
	return 0;
}

static inline int dns_teardown(void **state)
{
	(void)state;
	dns_stop();
	return 0;
}

/* A query through both halves of answer.h. */
static inline enum dns_outcome dns_answer(enum config_dns mode, const uint8_t *msg, size_t len, uint64_t now_ms, struct dns_question *q,
					  uint8_t *out, size_t *out_len)
{
	enum dns_outcome outcome = dns_answer_read(msg, len, q, out, out_len);

	return outcome == DNS_FORWARD ? dns_answer_question(mode, msg, q, now_ms, out, out_len) : outcome;
}

/* Has a flow used the name behind the address? */
static inline bool fake_is_used(const struct addr *a)
{
	char name[TARGET_NAME_MAX + 1];
	uint32_t index;

	assert_true(fakeip_find(dns_state.fakes, a, name, &index) > 0);
	return dns_state.fakes->records[index].used;
}

/* Turns of the loop until *done, or `ms` have passed. Returns the time it took. */
static inline uint64_t wait_until(const int *done, int value, uint64_t ms)
{
	uint64_t begin = loop_now();

	while (*done != value && loop_now() - begin < ms) {
		usleep(10000);
		loop_turn();
	}
	return loop_now() - begin;
}

/* ---- messages ---- */

static inline size_t make_query(uint8_t *out, uint16_t id, const char *name, uint16_t type)
{
	int n;

	memset(out, 0, DNS_HEADER_LEN);
	dns_message_set_id(out, id);
	out[2] = 1;
	out[5] = 1;
	n = dns_message_write_name(name, strlen(name), out + DNS_HEADER_LEN);
	assert_true(n > 0);
	out[DNS_HEADER_LEN + n] = (uint8_t)(type >> 8);
	out[DNS_HEADER_LEN + n + 1] = (uint8_t)type;
	out[DNS_HEADER_LEN + n + 2] = 0;
	out[DNS_HEADER_LEN + n + 3] = DNS_CLASS_IN;
	return DNS_HEADER_LEN + (size_t)n + 4;
}

static inline size_t framed_query(uint8_t *out, uint16_t id, const char *name, uint16_t type)
{
	size_t len = make_query(out + 2, id, name, type);

	out[0] = (uint8_t)(len >> 8);
	out[1] = (uint8_t)len;
	return len + 2;
}

/* What a server would say to `query`: one record of `size` bytes, framed. */
static inline size_t framed_reply(uint8_t *out, const uint8_t *query, size_t len, uint16_t size)
{
	memcpy(out + 2, query, len);
	out[4] |= 0x80;
	out[9] = 1;
	uint8_t *p = out + 2 + len;
	const uint8_t fixed[] = { 0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, (uint8_t)(size >> 8), (uint8_t)size };
	memcpy(p, fixed, sizeof(fixed));
	memset(p + sizeof(fixed), 'x', size);
	len += sizeof(fixed) + size;
	out[0] = (uint8_t)(len >> 8);
	out[1] = (uint8_t)len;
	return len + 2;
}

#endif
