/*
 * A TUN connection as a struct stream: the contract of io/stream.h on lwIP's
 * raw API. See stack.c for the theory of operation.
 *
 * Receiving: what lwIP hands over is offered at once, from inside tcp_input();
 * what the owner leaves waits in c->rx. Only what was taken opens the window
 * (open_window), so a slow upstream stops the app and nothing else.
 *
 * Sending: write() queues references in lwIP and in c->tx, up to what the app's
 * window and a little more can take, so that a reader that sleeps does not fill
 * the memory. `sent` drops them: lwIP counts whole segments there, never a part
 * of one that may have to be sent again.
 *
 * Small slices of large buffers are copied together (pack) once a connection is
 * backlogged: before, they leave at once and pin nothing for long.
 */
#include <string.h>

#include "base/cells.h"
#include "inbound/stack_conn.h"
#include "loop/loop.h"

#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

#define OFFER_MAX 32		   /* slices per data() */
#define SEND_AHEAD (64u * 1024)	   /* accepted beyond the app's window */
#define ROOM_WORTH (128u * 1024)   /* tell of room from here on, or when all is acknowledged */
#define PACK_FROM (32u * 1024)	   /* bytes queued, from which on small slices are packed */
#define GSO_SEGMENTS 64		   /* at most so many segments in a super-packet */
#define MSS_MIN 64		   /* Linux's tcp_min_snd_mss is 48 */

static struct stack_conn *of(const struct stream *s)
{
	return (struct stack_conn *)(uintptr_t)s;
}

/* ---- packing ---- */

static void pack_drop(struct stack_pack *p)
{
	if (p->buf)
		buf_unref(p->buf);
	p->buf = NULL;
}

/* Replaces *s by a copy of it in a shared buffer, if that saves memory. The
 * result is borrowed from the pack. */
static void pack(struct stack_pack *p, struct slice *s)
{
	if (s->len > BUF_MEDIUM / 8 || s->len * 4 > s->buf->size)
		return;
	if (!p->buf || p->buf->size - p->used < s->len) {
		struct buf *fresh = buf_get(BUF_MEDIUM);

		if (!fresh)
			return;
		pack_drop(p);
		p->buf = fresh;
		p->used = 0;
	}
	memcpy(p->buf->data + p->used, slice_data(s), s->len);
	*s = (struct slice){ .buf = p->buf, .off = p->used, .len = s->len };
	p->used += s->len;
}

static int enqueue(struct slice_queue *q, struct stack_pack *p, const struct slice *s)
{
	struct slice one = *s;

	if (q->bytes > PACK_FROM)
		pack(p, &one);
	return slice_queue_push(q, &one, 1);
}

/* ---- receiving ---- */

/* The owner took n bytes: the app may send as many more. Announced when it is
 * worth a segment of the app's, at once when it is a quarter of the window. */
static void open_window(struct stack_conn *c, size_t n)
{
	struct tcp_pcb *pcb = c->pcb;
	uint32_t max, gain;

	if (!pcb || !n || pcb->state == TIME_WAIT)
		return;
	max = TCP_WND_MAX(pcb);
	pcb->rcv_wnd = n > max - pcb->rcv_wnd ? max : pcb->rcv_wnd + (uint32_t)n;
	gain = pcb->rcv_nxt + pcb->rcv_wnd - pcb->rcv_ann_right_edge;
	if ((int32_t)gain < (int32_t)LWIP_MIN(max / 2, pcb->gso_mss))
		return;
	pcb->rcv_ann_wnd = pcb->rcv_wnd;
	if (gain >= max / 4)
		tcp_ack_now(pcb);
}

static size_t offer(struct stack_conn *c, const struct slice *v, int n)
{
	size_t taken = c->stream.events->data(c->stream.owner, v, n);

	if (taken < slices_len(v, n))
		c->want_data = false;
	open_window(c, taken);
	return taken;
}

/* Offers what waits, while the owner wants and takes it. */
static void offer_queued(struct stack_conn *c)
{
	struct slice v[OFFER_MAX];

	while (c->rx.bytes && c->want_data && !c->ended) {
		int n = slice_queue_peek(&c->rx, v, OFFER_MAX);
		size_t taken;

		/* Nobody else drops from rx: the slices stay while the owner looks. */
		taken = offer(c, v, n);
		slice_queue_drop(&c->rx, taken);
	}
	if (!c->rx.bytes)
		pack_drop(&c->rx_pack);
}

static void tell_fin(struct stack_conn *c)
{
	if (!c->fin_seen || c->fin_told || c->rx.bytes || !c->want_data || c->ended || c->told)
		return;
	c->fin_told = true;
	c->stream.events->fin(c->stream.owner);
}

static void fail(struct stack_conn *c, enum flow_end why)
{
	if (c->failed)
		return;
	c->failed = true;
	c->why = why;
	stack_mark_dirty(c);
}

/* One piece of what came: offered at once where nothing waits before it. */
static void received(struct stack_conn *c, struct slice s)
{
	if (c->want_data && !c->rx.bytes && !c->ended && !c->told) {
		size_t taken = offer(c, &s, 1);

		s.off += (uint32_t)taken;
		s.len -= (uint32_t)taken;
	}
	if (s.len && !c->ended && enqueue(&c->rx, &c->rx_pack, &s) < 0)
		fail(c, END_LIMIT);
}

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct stack_conn *c = arg;

	(void)err;
	if (!c) {
		if (p)
			pbuf_free(p);
		return ERR_OK;
	}
	if (!p) {
		c->fin_seen = true;
		tell_fin(c);
		return ERR_OK;
	}
	/* More than a segment at once: a train of full ones, acknowledged now. */
	if (p->tot_len > pcb->gso_mss)
		tcp_ack_now(pcb);
	for (const struct pbuf *q = p; q; q = q->next)
		if (q->len)
			received(c, stack_port_slice(q));
	pbuf_free(p);
	return ERR_OK;
}

/* ---- sending ---- */

/* What lwIP may be given: the app's window and a little more. */
static size_t conn_space(const struct stream *s)
{
	const struct stack_conn *c = of(s);
	size_t bound;

	if (!c->established || !c->pcb || c->shut || c->told || c->failed)
		return 0;
	if (c->pcb->snd_queuelen > TCP_SND_QUEUELEN - 8)
		return 0;
	bound = (size_t)c->pcb->snd_wnd + SEND_AHEAD;
	if (bound > TCP_SND_BUF)
		bound = TCP_SND_BUF;
	return bound > c->tx.bytes ? bound - c->tx.bytes : 0;
}

static void tell_room(struct stack_conn *c)
{
	if (!c->want_room || c->ended || c->told)
		return;
	if (conn_space(&c->stream) < ROOM_WORTH && (c->tx.bytes || !conn_space(&c->stream)))
		return;
	c->want_room = false;
	c->stream.events->room(c->stream.owner);
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	struct stack_conn *c = arg;

	if (!c)
		return ERR_OK;
	c->active_ms = loop_now();
	pcb->tmr = tcp_ticks; /* lwIP does not, once we closed: a slow reader must get all the same */
	slice_queue_drop(&c->tx, LWIP_MIN((size_t)len, c->tx.bytes));
	if (!c->tx.bytes)
		pack_drop(&c->tx_pack);
	tell_room(c);
	return ERR_OK;
}

/* One slice into lwIP, by reference. Returns the bytes queued. */
static size_t queue_slice(struct stack_conn *c, struct slice s, bool more)
{
	size_t queued = 0;

	if (c->tx.bytes > PACK_FROM)
		pack(&c->tx_pack, &s);
	while (s.len) {
		uint16_t n = s.len > 0xffff ? 0xffff : (uint16_t)s.len;
		struct slice part = { .buf = s.buf, .off = s.off, .len = n };

		if (tcp_write(c->pcb, slice_data(&part), n, more || n < s.len ? TCP_WRITE_FLAG_MORE : 0) != ERR_OK)
			break;
		if (slice_queue_push(&c->tx, &part, 1) < 0) {
			fail(c, END_LIMIT); /* lwIP refers to what we cannot keep: reset before it is sent */
			break;
		}
		s.off += n;
		s.len -= n;
		queued += n;
	}
	return queued;
}

static ssize_t conn_write(struct stream *s, const struct slice *v, int n)
{
	struct stack_conn *c = of(s);
	size_t space = conn_space(s), accepted = 0;

	if (c->shut || c->told || c->failed || (c->established && !c->pcb))
		return -EPIPE;
	for (int i = 0; i < n && space; i++) {
		struct slice part = v[i];
		size_t queued;

		if (part.len > space)
			part.len = (uint32_t)space;
		queued = queue_slice(c, part, i + 1 < n && part.len == v[i].len);
		accepted += queued;
		space -= queued;
		if (queued < part.len)
			break;
	}
	if (accepted)
		stack_mark_dirty(c);
	return (ssize_t)accepted;
}

/* ---- the stream's other calls: all of them wait for the flush ---- */

static void conn_accept(struct stream *s)
{
	struct stack_conn *c = of(s);

	c->accepted = true;
	stack_mark_dirty(c);
}

static void conn_want(struct stream *s, bool data, bool room)
{
	struct stack_conn *c = of(s);

	c->want_data = data;
	c->want_room = room;
	if ((data && (c->rx.bytes || c->fin_seen)) || (room && c->established))
		stack_mark_dirty(c);
}

static void conn_shut(struct stream *s)
{
	struct stack_conn *c = of(s);

	c->shut = true;
	stack_mark_dirty(c);
}

static void conn_end(struct stream *s, enum flow_end why)
{
	struct stack_conn *c = of(s);

	if (c->ended)
		return;
	c->ended = true;
	if (!c->failed)
		c->why = why;
	stack_mark_dirty(c);
}

static const struct stream_ops conn_ops = {
	.accept = conn_accept,
	.write = conn_write,
	.space = conn_space,
	.want = conn_want,
	.shut = conn_shut,
	.end = conn_end,
};

/* ---- what lwIP tells of a pcb's life ---- */

static void on_err(void *arg, err_t err)
{
	struct stack_conn *c = arg;

	/* ERR_CLSD: both FINs were acknowledged, in order. ERR_ABRT: by us, or
	 * nobody answered any more. */
	if (c && err != ERR_CLSD)
		fail(c, END_CLIENT_RESET);
}

void stack_conn_attach(struct stack_conn *c, struct tcp_pcb *pcb)
{
	c->pcb = pcb;
	c->active_ms = loop_now();
	c->half_open = true;
	list_append(&stack.half_open, &c->linger);
	stack.half_opens++;
	tcp_err(pcb, on_err);
}

static void not_half_open(struct stack_conn *c)
{
	stack_held_release(c);
	if (!c->half_open)
		return;
	c->half_open = false;
	list_remove(&c->linger);
	stack.half_opens--;
}

void stack_conn_evict(struct stack_conn *c)
{
	not_half_open(c);
	if (!c->pcb)
		return; /* reset meanwhile: it is on its way out */
	fail(c, END_LIMIT);
	tcp_abandon(c->pcb, 0);
}

void stack_conn_established(struct stack_conn *c)
{
	struct tcp_pcb *pcb = c->pcb;
	uint32_t k;

	not_half_open(c);
	if (pcb->mss < MSS_MIN)
		pcb->mss = MSS_MIN;
	k = LWIP_MIN((uint32_t)TCP_MSS / pcb->mss, (uint32_t)GSO_SEGMENTS);
	/* Here, before lwIP takes the first congestion window from pcb->mss. */
	pcb->gso_mss = pcb->mss;
	pcb->mss = (u16_t)(pcb->mss * k);
	tcp_recv(pcb, on_recv);
	tcp_sent(pcb, on_sent);
	tcp_nagle_disable(pcb);
	c->established = true;
	c->active_ms = loop_now();
	stack_mark_dirty(c);
}

/* ---- the flush ---- */

/* END_DONE: lwIP sends what it has, then FIN; within CLOSING_MS of the last
 * sign of life. */
static void close_orderly(struct stack_conn *c)
{
	c->closing = true;
	not_half_open(c);
	slice_queue_clear(&c->rx);
	pack_drop(&c->rx_pack);
	list_remove(&c->linger);
	list_append(&stack.closing, &c->linger);
	c->active_ms = loop_now();
	tcp_close(c->pcb); /* may free it at once: the hook tells */
}

static void flush_ended(struct stack_conn *c)
{
	if (c->syn) {
		stack_held_refuse(c, c->why);
		return;
	}
	if (!c->pcb || c->pcb->state == TIME_WAIT)
		return;
	if (!flow_end_graceful(c->why)) {
		if (c->why == END_ADDRESS_GONE)
			stack_unheard_add(c->pcb);
		tcp_abort(c->pcb);
		return;
	}
	if (!c->closing)
		close_orderly(c);
}

/* The pcb is gone, and not because both sides said FIN. */
static bool vanished(const struct stack_conn *c)
{
	return c->accepted && !c->syn && !c->pcb && !(c->fin_seen && c->shut_sent);
}

static void flush_failed(struct stack_conn *c)
{
	if (c->pcb)
		tcp_abort(c->pcb); /* END_LIMIT: of our own making */
	if (c->told)
		return;
	c->told = true;
	c->stream.events->ended(c->stream.owner, c->why);
}

void stack_conn_flush(struct stack_conn *c)
{
	if (c->accepted && c->syn && !c->ended)
		stack_held_accept(c);
	if (!c->ended && !c->failed && vanished(c))
		fail(c, END_CLIENT_RESET);
	if (!c->ended && c->failed && !c->told)
		flush_failed(c);
	if (!c->ended && !c->told) {
		offer_queued(c);
		tell_fin(c);
	}
	if (!c->ended && !c->told && c->established) {
		tell_room(c);
		if (c->shut && !c->shut_sent && c->pcb) {
			c->shut_sent = true;
			tcp_shutdown(c->pcb, 0, 1);
		}
	}
	if (c->ended)
		flush_ended(c);
}

/* ---- life ---- */

struct stack_conn *stack_conn_new(void)
{
	struct stack_conn *c = cell_new(sizeof(*c));

	if (!c)
		return NULL;
	c->stream.ops = &conn_ops;
	list_init(&c->dirty);
	list_init(&c->linger);
	list_append(&stack.all, &c->all);
	stack.counters.active++;
	return c;
}

void stack_conn_free(struct stack_conn *c)
{
	not_half_open(c);
	list_remove(&c->dirty);
	list_remove(&c->linger);
	list_remove(&c->all);
	slice_queue_clear(&c->rx);
	slice_queue_clear(&c->tx);
	pack_drop(&c->rx_pack);
	pack_drop(&c->tx_pack);
	stack.counters.active--;
	cell_free(c);
}
