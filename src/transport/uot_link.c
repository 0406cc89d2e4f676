/*
 * Frames to and from a stream.
 *
 * Out: a batch becomes one write, heads from a pooled buffer and payloads from
 * where they lie. A frame is offered only when the stream's space holds all of
 * it, else the datagram is dropped: on a path that is slower than its datagrams
 * the queue stays as short as a prompt stream keeps it. Should the stream take
 * less than it promised, the rest of the frame waits in `rest` and everything
 * behind it is dropped: a datagram is never cut.
 *
 * In: a frame that lies whole in what was received is handed on from there; only
 * what straddles two reads is copied, the head into `head`, the data into
 * `carry`. All is always taken: the stream is never paused, because whoever gets
 * datagrams may drop them.
 *
 * A link that is connected has one remote for all frames. The kernel's connected
 * sockets hear nobody else, so the server's side answers for nobody else.
 */
#include "transport/uot_link.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/datagram_counters.h"
#include "loop/loop.h"
#include "proto/uot.h"

#define OUT_SLICES (2 * DATAGRAM_BATCH)

struct uot_link {
	struct stream *stream;
	const struct uot_link_events *events;
	void *owner;
	struct loop_work work;	 /* tells a failure inside a call; frees */
	struct slice_queue rest; /* out: of a frame that was not taken whole */
	struct slice carry;	 /* in: data of a frame that straddles; buf NULL: none */
	struct target remote;	 /* of the frame that is read; connected: of all */
	uint8_t head[UOT_REQUEST_MAX > UOT_HEAD_MAX ? UOT_REQUEST_MAX : UOT_HEAD_MAX];
	uint16_t have;		 /* bytes of a head that straddles */
	uint16_t data_len;	 /* of the frame that is read */
	bool reads_request : 1;	 /* server, v2: before the first frame */
	bool sends_request : 1;	 /* client: with the first frame */
	bool connected : 1;
	bool in_data : 1;	 /* the head was read, data_len bytes follow */
	bool broken : 1, told : 1, dead : 1;
};

static void tell_ended(struct uot_link *l, enum flow_end why)
{
	if (l->dead || l->told)
		return;
	l->told = true;
	l->events->ended(l->owner, why);
}

/* ---- in ---- */

/* Datagrams on their way to the owner; in a pool buffer meanwhile. */
struct rx {
	struct target remotes[DATAGRAM_BATCH];
	struct datagram batch[DATAGRAM_BATCH];
	int n;
};
static_assert(sizeof(struct rx) <= BUF_LARGE, "the scratch of a batch fits a pool buffer");

static void deliver(struct uot_link *l, struct rx *rx)
{
	int n = rx->n;

	rx->n = 0;
	if (n && !l->dead)
		l->events->receive(l->owner, rx->batch, n);
	for (int i = 0; i < n; i++)
		slice_unref(rx->batch[i].payload);
}

/* Takes over the reference to the payload. */
static void take(struct uot_link *l, struct rx *rx, struct slice payload)
{
	rx->remotes[rx->n] = l->remote;
	rx->batch[rx->n] = (struct datagram){ .remote = &rx->remotes[rx->n], .payload = payload };
	l->in_data = false;
	if (++rx->n == DATAGRAM_BATCH)
		deliver(l, rx);
}

static ssize_t decode_head(struct uot_link *l, const uint8_t *in, size_t len)
{
	bool connected = l->connected;
	ssize_t n;

	if (!l->reads_request) {
		n = uot_read_head(connected, in, len, &l->remote, &l->data_len);
		l->in_data = n > 0;
		return n;
	}
	n = uot_read_request(in, len, &connected, &l->remote);
	if (n > 0) {
		l->reads_request = false;
		l->connected = connected;
	}
	return n;
}

/* The next head, whole from the slice or piece by piece. Bytes used, or -EPROTO. */
static ssize_t read_head(struct uot_link *l, const uint8_t *in, size_t len)
{
	size_t had = l->have, room = sizeof(l->head) - had, part = len < room ? len : room;
	ssize_t n;

	if (!had) {
		n = decode_head(l, in, len);
		if (n)
			return n;
	}
	memcpy(l->head + had, in, part);
	l->have = (uint16_t)(had + part);
	n = decode_head(l, l->head, l->have);
	if (n < 0)
		return n;
	if (n == 0)
		return (ssize_t)part;
	l->have = 0;
	return n - (ssize_t)had;
}

/* Data of the frame at hand. Bytes used, or -ENOMEM. */
static ssize_t read_data(struct uot_link *l, struct rx *rx, const struct slice *v, uint32_t off)
{
	uint32_t rest = v->len - off, need = l->data_len - l->carry.len;

	if (!l->carry.buf && rest >= need) {
		take(l, rx, slice_ref((struct slice){ v->buf, v->off + off, need }));
		return need;
	}
	if (!l->carry.buf) {
		l->carry = (struct slice){ .buf = buf_get(l->data_len) };
		if (!l->carry.buf)
			return -ENOMEM;
	}
	if (rest > need)
		rest = need;
	memcpy(l->carry.buf->data + l->carry.len, slice_data(v) + off, rest);
	l->carry.len += rest;
	if (l->carry.len == l->data_len) {
		struct slice whole = l->carry;

		l->carry = (struct slice){ 0 };
		take(l, rx, whole);
	}
	return rest;
}

/* 0, or why the stream cannot go on. */
static int read_slice(struct uot_link *l, struct rx *rx, const struct slice *v)
{
	uint32_t off = 0;

	while (!l->dead && (off < v->len || (l->in_data && !l->data_len))) {
		ssize_t n = l->in_data ? read_data(l, rx, v, off) : read_head(l, slice_data(v) + off, v->len - off);

		if (n < 0)
			return (int)n;
		off += (uint32_t)n;
	}
	return 0;
}

static size_t on_data(void *owner, const struct slice *v, int n)
{
	struct uot_link *l = owner;
	struct buf *scratch;
	struct rx *rx;
	int err = 0;

	if (l->dead || l->told)
		return slices_len(v, n);
	scratch = buf_get(sizeof(*rx));
	if (!scratch) {
		tell_ended(l, END_LIMIT); /* frames cannot be skipped unread */
		return slices_len(v, n);
	}
	rx = (struct rx *)(void *)scratch->data;
	rx->n = 0;
	for (int i = 0; i < n && !err; i++)
		err = read_slice(l, rx, &v[i]);
	deliver(l, rx);
	buf_unref(scratch);
	if (err == -EPROTO && !l->dead)
		datagram_counters.malformed++;
	if (err)
		tell_ended(l, err == -EPROTO ? END_PROTOCOL : END_LIMIT);
	return slices_len(v, n);
}

/* ---- out ---- */

/* Frames that become one write. */
struct tx {
	struct slice v[OUT_SLICES];
	struct buf *heads;
	uint32_t used;
	size_t bytes;
	int n;
};

/* What must wait for the end of a call. */
static void pass(struct loop_work *w)
{
	struct uot_link *l = container_of(w, struct uot_link, work);

	if (l->dead)
		free(l);
	else if (l->broken)
		tell_ended(l, END_LIMIT);
}

/* What the stream did not take after all. */
static void keep_rest(struct uot_link *l, const struct tx *tx, size_t taken)
{
	if (slice_queue_push_rest(&l->rest, tx->v, tx->n, taken) < 0) {
		l->broken = true;
		loop_defer(&l->work, pass);
		return;
	}
	stream_want(l->stream, true, true);
}

static void flush(struct uot_link *l, struct tx *tx)
{
	ssize_t taken;

	if (tx->n && !l->told) {
		taken = stream_write(l->stream, tx->v, tx->n);
		/* An ended stream's event is on its way. */
		if (taken >= 0 && (size_t)taken < tx->bytes)
			keep_rest(l, tx, (size_t)taken);
	}
	if (tx->heads)
		buf_unref(tx->heads);
	*tx = (struct tx){ 0 };
}

/* A place for the next head; NULL: no memory. */
static uint8_t *head_place(struct uot_link *l, struct tx *tx)
{
	if (tx->n + 2 > OUT_SLICES || (tx->heads && tx->heads->size - tx->used < UOT_REQUEST_MAX + UOT_HEAD_MAX))
		flush(l, tx);
	if (!tx->heads)
		tx->heads = buf_get(BUF_SMALL);
	return tx->heads ? tx->heads->data + tx->used : NULL;
}

static void add_slice(struct tx *tx, struct slice s)
{
	if (!s.len)
		return;
	tx->v[tx->n++] = s;
	tx->bytes += s.len;
}

/* Bytes that the frame takes, a request before it included. */
static size_t frame_len(const struct uot_link *l, const struct datagram *d, uint32_t len)
{
	return (l->sends_request ? 1 + ss_addr_len(d->remote) : 0) + uot_head_len(l->connected, d->remote) + len;
}

/* One datagram; false: dropped. */
static bool add_frame(struct uot_link *l, struct tx *tx, const struct datagram *d, uint32_t off, uint32_t len)
{
	uint8_t *head = head_place(l, tx);
	size_t n = 0;

	if (!head || l->rest.bytes || l->broken || len > UINT16_MAX || stream_space(l->stream) < tx->bytes + frame_len(l, d, len))
		return false;
	if (l->sends_request)
		n = uot_put_request(false, d->remote, head);
	l->sends_request = false;
	n += uot_put_head(l->connected, d->remote, (uint16_t)len, head + n);
	add_slice(tx, (struct slice){ tx->heads, tx->used, (uint32_t)n });
	add_slice(tx, (struct slice){ d->payload.buf, d->payload.off + off, len });
	tx->used += (uint32_t)n;
	return true;
}

/* Only the one remote of a connected link is heard. A name's address is not known here. */
static bool is_stranger(const struct uot_link *l, const struct datagram *d)
{
	if (!l->connected || target_is_name(d->remote))
		return false;
	return target_port(d->remote) != target_port(&l->remote) ||
	       (!target_is_name(&l->remote) && !addr_ip_equal(&d->remote->ip, &l->remote.ip));
}

static void add_datagram(struct uot_link *l, struct tx *tx, const struct datagram *d)
{
	uint32_t off = 0;

	do {
		uint32_t rest = d->payload.len - off, len = d->segment && d->segment < rest ? d->segment : rest;

		if (!add_frame(l, tx, d, off, len))
			datagram_counters.dropped_queue++;
		off += len;
	} while (off < d->payload.len);
}

void uot_link_send(struct uot_link *l, const struct datagram *d, int n)
{
	struct tx tx = { 0 };

	if (l->dead || l->told)
		return;
	for (int i = 0; i < n; i++) {
		if (is_stranger(l, &d[i]))
			datagram_counters.dropped_acl++;
		else
			add_datagram(l, &tx, &d[i]);
	}
	flush(l, &tx);
}

static void on_room(void *owner)
{
	struct uot_link *l = owner;
	struct slice v[8];
	ssize_t taken = 0;

	while (!l->dead && !l->told && l->rest.bytes) {
		int n = slice_queue_peek(&l->rest, v, 8);

		taken = stream_write(l->stream, v, n);
		if (taken <= 0)
			break;
		slice_queue_drop(&l->rest, (size_t)taken);
	}
	if (!l->dead && !l->told && taken >= 0)
		stream_want(l->stream, true, l->rest.bytes != 0);
}

/* ---- life ---- */

static void on_fin(void *owner)
{
	struct uot_link *l = owner;

	tell_ended(l, l->have || l->in_data ? END_TRUNCATED : END_DONE);
}

static void on_ended(void *owner, enum flow_end why)
{
	tell_ended(owner, why);
}

static const struct stream_events stream_events = { on_data, on_room, on_fin, on_ended };

struct uot_link *uot_link_new(struct stream *s, enum uot_role role, const struct uot_link_events *events, void *owner)
{
	struct uot_link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->stream = s;
	l->events = events;
	l->owner = owner;
	l->reads_request = role == UOT_SERVER_V2;
	l->sends_request = role == UOT_CLIENT;
	stream_bind(s, &stream_events, l);
	stream_be_prompt(s);
	stream_want(s, true, false);
	return l;
}

void uot_link_end(struct uot_link *l, enum flow_end why)
{
	if (l->dead)
		return;
	l->dead = true;
	slice_queue_clear(&l->rest);
	if (l->carry.buf)
		slice_unref(l->carry);
	l->carry.buf = NULL;
	stream_end(l->stream, why);
	loop_defer(&l->work, pass);
}
