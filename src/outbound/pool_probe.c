/*
 * Probing the members of a pool, for policy latency alone: every so often one
 * probe for TCP and one for UDP goes through each server, and how long it took,
 * or that it failed, goes into the score.
 *
 *	TCP	a connect to the server; with a probe_host GET of a path there
 *		through it, and 2xx is a success
 *	UDP	a query for the root's name servers to a resolver through it, and
 *		any answer is a success; without a resolver there is no probe
 *
 * Without the two hosts nobody but the server itself hears of a probe. With one
 * server there is nothing to choose and nothing is probed.
 */
#include <stdio.h>
#include <string.h>

#include "crypto/random.h"
#include "outbound/pool_impl.h"
#include "proto/dns_message.h"

#define SPREAD_MS 200 /* the first probes of several servers do not leave at once */
#define REQUEST_MAX 2048
#define STATUS_LEN 12 /* "HTTP/1.1 200" */

static const struct pool_options *options_of(const struct pool_probe *p)
{
	return &p->member->pool->options;
}

static void begin(struct loop_timer *);

static void drop(struct pool_probe *p)
{
	loop_timer_stop(&p->timer);
	if (p->dial)
		p->member->outbound->ops->cancel(p->dial);
	if (p->stream)
		stream_end(p->stream, END_DONE);
	if (p->port)
		datagram_end(p->port, END_DONE);
	p->dial = NULL;
	p->stream = NULL;
	p->port = NULL;
}

static void done(struct pool_probe *p, bool good)
{
	const struct pool_options *o = options_of(p);
	struct pool_member *m = p->member;
	bool best = m->pool->best[p->kind] == m && o->best_interval_ms;
	uint32_t rtt = good ? (uint32_t)(loop_now() - p->began_ms) : POOL_PROBE_FAILED;

	drop(p);
	pool_member_probed(m, p->kind, rtt);
	loop_timer_start(&p->timer, best ? o->best_interval_ms : o->interval_ms, begin);
}

static void on_patience(struct loop_timer *t)
{
	done(container_of(t, struct pool_probe, timer), false);
}

/* ---- TCP ---- */

/* Takes what it needs to see the status, and no more: the rest is of no use. */
static size_t on_data(void *owner, const struct slice *v, int n)
{
	struct pool_probe *p = owner;

	for (int i = 0; i < n && p->got < STATUS_LEN; i++) {
		uint32_t part = v[i].len < STATUS_LEN - p->got ? v[i].len : STATUS_LEN - p->got;

		memcpy(p->answer + p->got, slice_data(&v[i]), part);
		p->got += part;
	}
	if (p->got == STATUS_LEN)
		done(p, memcmp(p->answer, "HTTP/1.", 7) == 0 && p->answer[9] == '2');
	return slices_len(v, n);
}

static void on_room(void *owner)
{
	(void)owner;
}

static void on_fin(void *owner)
{
	done(owner, false);
}

static void on_stream_ended(void *owner, enum flow_end why)
{
	(void)why;
	done(owner, false);
}

static const struct stream_events stream_events = { on_data, on_room, on_fin, on_stream_ended };

static bool write_request(struct pool_probe *p)
{
	const struct pool_options *o = options_of(p);
	char host[TARGET_STRLEN];
	struct buf *b = buf_get(REQUEST_MAX);
	struct slice s = { .buf = b };
	int len;

	if (!b)
		return false;
	len = snprintf((char *)b->data, REQUEST_MAX, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: gatun\r\nAccept: */*\r\nConnection: close\r\n\r\n",
		       o->probe_path, target_format(&o->probe_host, host));
	s.len = (uint32_t)len;
	if (len < REQUEST_MAX && stream_write(p->stream, &s, 1) != len)
		len = REQUEST_MAX;
	buf_unref(b);
	return len < REQUEST_MAX;
}

static void on_opened(void *owner, struct stream *s)
{
	struct pool_probe *p = owner;

	p->dial = NULL;
	p->stream = s;
	stream_bind(s, &stream_events, p);
	if (!target_port(&options_of(p)->probe_host))
		done(p, true);
	else if (!write_request(p))
		done(p, false);
	else
		stream_want(s, true, false);
}

static void on_failed(void *owner, enum flow_end why)
{
	struct pool_probe *p = owner;

	(void)why;
	p->dial = NULL;
	done(p, p->member->outbound->target_failed && !target_port(&options_of(p)->probe_host));
}

static const struct dial_events dial_events = { on_opened, on_failed };

static bool begin_tcp(struct pool_probe *p)
{
	struct outbound *o = p->member->outbound;

	p->got = 0;
	p->dial = o->ops->connect(o, &options_of(p)->probe_host, &dial_events, p);
	return p->dial != NULL;
}

/* ---- UDP ---- */

static void on_receive(void *owner, const struct datagram *d, int n)
{
	struct pool_probe *p = owner;

	for (int i = 0; i < n; i++) {
		const uint8_t *message = slice_data(&d[i].payload);

		if (d[i].payload.len < DNS_HEADER_LEN || dns_message_id(message) != p->id || !(message[2] & 0x80))
			continue;
		done(p, true);
		return;
	}
}

static void on_port_ended(void *owner, enum flow_end why)
{
	(void)why;
	done(owner, false);
}

static const struct datagram_events port_events = { on_receive, on_port_ended, NULL };

/* Who serves the root: every resolver knows. */
static bool send_query(struct pool_probe *p)
{
	static const uint8_t query[DNS_HEADER_LEN + 5] = { [2] = 1, [5] = 1, [DNS_HEADER_LEN + 2] = 2, [DNS_HEADER_LEN + 4] = 1 };
	struct datagram d = { .remote = &options_of(p)->probe_dns };
	struct buf *b = buf_get(sizeof(query));

	if (!b)
		return false;
	memcpy(b->data, query, sizeof(query));
	dns_message_set_id(b->data, p->id);
	d.payload = (struct slice){ b, 0, sizeof(query) };
	datagram_send(p->port, &d, 1);
	buf_unref(b);
	return true;
}

static bool begin_udp(struct pool_probe *p)
{
	struct outbound *o = p->member->outbound;

	p->id = (uint16_t)random_u64();
	p->port = o->ops->port(o);
	if (!p->port)
		return false;
	datagram_bind(p->port, &port_events, p);
	return send_query(p);
}

/* ---- when ---- */

static void begin(struct loop_timer *t)
{
	struct pool_probe *p = container_of(t, struct pool_probe, timer);

	p->began_ms = loop_now();
	loop_timer_start(&p->timer, options_of(p)->max_rtt_ms, on_patience);
	if (!(p->kind == POOL_TCP ? begin_tcp(p) : begin_udp(p)))
		done(p, false);
}

static bool is_wanted(const struct pool_member *m, enum pool_kind kind)
{
	const struct pool *p = m->pool;

	return p->options.policy == POOL_LATENCY && p->n > 1 && m->weight[kind] &&
	       (kind == POOL_TCP || target_port(&p->options.probe_dns));
}

void pool_probe_start(struct pool_member *m)
{
	for (int k = 0; k < POOL_KINDS; k++) {
		m->probe[k].member = m;
		m->probe[k].kind = (enum pool_kind)k;
		if (is_wanted(m, (enum pool_kind)k))
			loop_timer_start(&m->probe[k].timer, random_below(SPREAD_MS), begin);
	}
}

void pool_probe_stop(struct pool_member *m)
{
	for (int k = 0; k < POOL_KINDS; k++)
		if (m->probe[k].member)
			drop(&m->probe[k]);
}
