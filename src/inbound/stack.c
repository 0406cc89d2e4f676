/*
 * TCP of the TUN, as streams.
 *
 * Theory of operation
 *
 *   packet ─► stack_input ─┬─ SYN of nobody ──► held (stack_held.c) ──► owner
 *                          └─ anything else ──► lwIP (stack_port.c)
 *                                                 │ recv, sent, err, freed
 *                                                 ▼
 *   owner ◄── data, room, fin, ended ── struct stack_conn (stack_stream.c)
 *     │                                           ▲
 *     └── write, shut, end, accept ───────────────┘ marks it dirty
 *
 *   end of the turn: each dirty connection is flushed once: SYN accepted or
 *   refused, FIN or RST sent, what the owner asked for delivered, tcp_output().
 *
 * A connection lives from its SYN to the later of two: the owner's end(), and
 * lwIP being done with the pcb. lwIP tells the latter by a hook at tcp_free(),
 * whatever the reason, so no stale pcb is ever held; a pcb in TIME_WAIT is let
 * go, it needs no connection.
 *
 * Discipline. lwIP's callbacks only note and pass data on; they never close,
 * abort or send, and always return ERR_OK. Whatever the owner asks for inside
 * them waits for the flush, which runs outside lwIP. So the ERR_ABRT rule of
 * the raw API (an aborted pcb must not be touched by the tcp_input() that
 * called back) cannot be broken, and one packet goes out per connection and
 * turn however many came in.
 *
 * Memory that lwIP sends from is referred to, not copied: c->tx keeps the
 * slices, in order, until whole segments are acknowledged.
 *
 * It does not know what is behind a stream, nor any address of its own.
 */
#include "inbound/stack.h"

#include <string.h>

#include "inbound/packet.h"
#include "inbound/stack_conn.h"
#include "loop/loop.h"

#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

#define TCP_FLAGS_AT 13
#define ACK_DELAY_MS 40	       /* as Linux; lwIP's own 250 ms would be felt */
#define CLOSING_MS (120 * 1000) /* after END_DONE, without any progress */
#define ALIVE_SWEEP_MS (60 * 1000)
#define ALIVE_SWEEPS 60u			 /* each connection is looked at once an hour */
#define ALIVE_IDLE_MS (2 * 3600 * (uint64_t)1000) /* RFC 1122, 4.2.3.6 */

struct stack stack;
static struct loop_work flush_work;
static struct loop_timer ack_timer, alive_timer;

/* ---- the deferred pass ---- */

static void on_flush(struct loop_work *w)
{
	(void)w;
	while (!list_empty(&stack.dirty)) {
		struct stack_conn *c = container_of(stack.dirty.next, struct stack_conn, dirty);

		list_remove(&c->dirty);
		stack_flush(c);
	}
}

void stack_mark_dirty(struct stack_conn *c)
{
	if (!list_empty(&c->dirty))
		return;
	list_append(&stack.dirty, &c->dirty);
	loop_defer(&flush_work, on_flush);
}

/* Acknowledgements that waited for data to ride on, and waited long enough. */
static void on_ack_timer(struct loop_timer *t)
{
	(void)t;
	while (!list_empty(&stack.ack_later)) {
		struct stack_conn *c = container_of(stack.ack_later.next, struct stack_conn, linger);

		list_remove(&c->linger);
		if (c->pcb && (c->pcb->flags & TF_ACK_DELAY)) {
			tcp_clear_flags(c->pcb, TF_ACK_DELAY);
			tcp_ack_now(c->pcb);
			tcp_output(c->pcb);
		}
	}
}

static void delay_ack(struct stack_conn *c)
{
	if (!(c->pcb->flags & TF_ACK_DELAY) || !list_empty(&c->linger))
		return;
	list_append(&stack.ack_later, &c->linger);
	if (!loop_timer_armed(&ack_timer))
		loop_timer_start(&ack_timer, ACK_DELAY_MS, on_ack_timer);
}

/* In TIME_WAIT lwIP holds nothing of ours. */
static void let_go(struct stack_conn *c)
{
	c->pcb->callback_arg = NULL;
	c->pcb = NULL;
}

void stack_flush(struct stack_conn *c)
{
	stack_conn_flush(c);
	if (c->pcb && c->pcb->state != TIME_WAIT)
		tcp_output(c->pcb);
	if (c->pcb && c->pcb->state == TIME_WAIT) {
		tcp_output(c->pcb);
		let_go(c);
	}
	if (c->pcb && !c->closing)
		delay_ack(c);
	if (c->ended && !c->pcb && !c->syn)
		stack_conn_free(c);
}

/* ---- slow clocks ---- */

static void sweep_closing(void)
{
	list_for_each_safe (it, &stack.closing) {
		struct stack_conn *c = container_of(it, struct stack_conn, linger);

		if (loop_now() - c->active_ms < CLOSING_MS)
			continue;
		c->why = END_IDLE;
		stack_mark_dirty(c);
	}
}

void stack_tick(void)
{
	static unsigned ticks;

	if (++ticks % 8 == 0)
		sweep_closing();
}

/* Has the app's machine vanished without a word? lwIP's keep-alive asks, but
 * arms the pcb; so it is switched on only where nothing was heard for long, and
 * off by the first answer (stack_lwip_dirty). */
static void check_alive(struct stack_conn *c)
{
	if (!c->pcb || loop_now() - c->active_ms < ALIVE_IDLE_MS)
		return;
	ip_set_option(c->pcb, SOF_KEEPALIVE);
	c->pcb->keep_idle = 1;
	tcp_arm(c->pcb);
}

static void on_alive_timer(struct loop_timer *t)
{
	uint32_t n = stack.counters.active / ALIVE_SWEEPS + 1;

	stack_gate_sweep();
	for (; n && !list_empty(&stack.all); n--) {
		struct stack_conn *c = container_of(stack.all.next, struct stack_conn, all);

		check_alive(c);
		list_move_last(&stack.all, &c->all);
	}
	loop_timer_start(t, ALIVE_SWEEP_MS, on_alive_timer);
}

/* ---- input ---- */

/* A SYN without ACK: of a new connection, or a new one on an old pair. */
static void input_syn(const struct packet *p)
{
	struct tcp_pcb *pcb = stack_port_find(&p->src, &p->dst);

	if (packet_l4(p)[TCP_FLAGS_AT] & TCP_FIN)
		return;
	if (pcb && pcb->state != TIME_WAIT) {
		stack_port_input(p); /* a copy of its SYN; or a challenge ACK is due (RFC 5961) */
		return;
	}
	/* RFC 1122, 4.2.2.13: TIME_WAIT may be reopened. Always: the app's kernel
	 * waits a second, or fails, where we do not. */
	if (pcb)
		tcp_abort(pcb);
	stack_held_syn(p);
}

void stack_input(const struct packet *p)
{
	uint8_t flags = packet_l4(p)[TCP_FLAGS_AT];

	if (packet_not_unicast(p) || !p->src.port || !p->dst.port)
		return;
	if ((flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) {
		input_syn(p);
		return;
	}
	if ((flags & TCP_RST) && stack.counters.held_syn && stack_held_reset(p))
		return;
	stack_port_input(p);
}

void stack_batch_end(void)
{
	/* Every connection that the batch touched is in stack.dirty, and is
	 * flushed once, by the deferred pass of this turn. */
}

/* ---- life ---- */

int stack_init(struct tun *tun, const struct inbound_events *events, void *owner)
{
	int err;

	memset(&stack, 0, sizeof(stack));
	stack.tun = tun;
	stack.events = events;
	stack.owner = owner;
	list_init(&stack.dirty);
	list_init(&stack.all);
	list_init(&stack.half_open);
	list_init(&stack.closing);
	list_init(&stack.ack_later);
	err = stack_held_init();
	if (err)
		return err;
	err = stack_port_init();
	if (err) {
		stack_held_free();
		return err;
	}
	loop_timer_start(&alive_timer, ALIVE_SWEEP_MS, on_alive_timer);
	return 0;
}

/* The apps get RST. Owners must have ended their streams: nobody is told. */
void stack_free(void)
{
	if (!stack.tun)
		return;
	loop_timer_stop(&alive_timer);
	loop_timer_stop(&ack_timer);
	list_for_each_safe (it, &stack.all) {
		struct stack_conn *c = container_of(it, struct stack_conn, all);

		if (c->syn)
			stack_held_refuse(c, END_SHUTDOWN);
		if (c->pcb)
			tcp_abort(c->pcb);
		stack_conn_free(c);
	}
	stack_port_free();
	stack_held_free();
	stack_gate_free();
	stack_unheard_free();
	loop_defer_cancel(&flush_work); /* the aborts have asked for it */
	stack.tun = NULL;
}

const struct stack_counters *stack_counters(void)
{
	return &stack.counters;
}
