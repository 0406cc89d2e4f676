/*
 * Inside the stack: one connection of the TUN, and what its files share.
 * stack.c dispatches, stack_held.c holds SYNs, stack_gate.c keeps floods of
 * them out, stack_stream.c is the stream, stack_unheard.c tells again what nobody could hear,
 * stack_port.c is what lwIP stands on. Nobody else includes this.
 */
#ifndef GATUN_INBOUND_STACK_CONN_H
#define GATUN_INBOUND_STACK_CONN_H

#include "base/hash.h"
#include "base/list.h"
#include "inbound/stack.h"

struct tcp_pcb;
struct pbuf;
struct stack_syn;
struct stack_source;

/* Bytes that were packed together because they would pin larger buffers. */
struct stack_pack {
	struct buf *buf;
	uint32_t used;
};

struct stack_conn {
	struct stream stream;
	struct tcp_pcb *pcb;   /* NULL while held, and once lwIP is done with it */
	struct stack_syn *syn; /* NULL once it is not held any more */
	struct stack_source *source; /* of the caps; NULL once the app has answered */
	struct list dirty;     /* to be flushed in the deferred pass */
	struct list all;       /* every connection, the least recently looked at first */
	struct list linger;    /* half open, or an ACK is being delayed, or closing */
	struct slice_queue rx; /* received, not taken by the owner */
	struct slice_queue tx; /* accepted, not acknowledged by the app */
	struct stack_pack rx_pack, tx_pack;
	uint64_t active_ms; /* something came from the app; closing: it acknowledged data */
	enum flow_end why;  /* of end(), or for ended() */
	bool want_data : 1, want_room : 1;
	bool accepted : 1;    /* accept() was called */
	bool half_open : 1;   /* SYN-ACK sent, not answered yet */
	bool established : 1; /* the app completed the handshake */
	bool fin_seen : 1, fin_told : 1;
	bool shut : 1, shut_sent : 1;
	bool failed : 1, told : 1; /* `why` is to be told, was told */
	bool ended : 1;	  /* end() was called: no event any more */
	bool closing : 1; /* END_DONE: lwIP delivers what is left */
};

struct stack {
	struct tun *tun;
	const struct inbound_events *events;
	void *owner;
	struct list dirty, all, half_open, closing, ack_later;
	uint32_t half_opens; /* in the list */
	struct stack_counters counters;
};
extern struct stack stack;

/* ---- stack.c ---- */
void stack_mark_dirty(struct stack_conn *);
/* The deferred pass's work for one connection; may free it. */
void stack_flush(struct stack_conn *);
/* A tick of lwIP's slow clock (250 ms), while anything is armed. */
void stack_tick(void);

/* ---- stack_stream.c ---- */
struct stack_conn *stack_conn_new(void);
void stack_conn_free(struct stack_conn *);
void stack_conn_flush(struct stack_conn *);
/* lwIP made a pcb for it: sets the callbacks. */
void stack_conn_attach(struct stack_conn *, struct tcp_pcb *);
/* The handshake is complete. */
void stack_conn_established(struct stack_conn *);
/* Drops a half-open one without a word to the app. */
void stack_conn_evict(struct stack_conn *);

/* ---- stack_held.c ---- */
int stack_held_init(void);
void stack_held_free(void);
/* A SYN that belongs to no connection: holds it and tells the owner. */
void stack_held_syn(const struct packet *);
/* True if the packet belonged to a held SYN and was dealt with. */
bool stack_held_reset(const struct packet *);
/* Hands the SYN to lwIP. */
void stack_held_accept(struct stack_conn *);
/* Answers RST or ICMP as the word says. */
void stack_held_refuse(struct stack_conn *, enum flow_end why);
void stack_held_forget(struct stack_conn *);
/* It is not half open any more: its place among its source's is free. */
void stack_held_release(struct stack_conn *);

/* ---- stack_gate.c ---- */
/* Was this SYN seen before? If not, it is remembered. */
bool stack_gate_pass(const struct packet *);
void stack_gate_sweep(void);
void stack_gate_free(void);

/* ---- stack_unheard.c ---- */
/* It is about to be reset because an address is gone, which may be the app's own. */
void stack_unheard_add(const struct tcp_pcb *);
void stack_unheard_free(void);

/* ---- stack_port.c ---- */
int stack_port_init(void);
void stack_port_free(void);
/* The active or TIME_WAIT pcb between the packet's addresses, or NULL. */
struct tcp_pcb *stack_port_find(const struct addr *app, const struct addr *target);
/* Gives a TCP packet to lwIP; keeps a reference to its buffer as long as lwIP does. */
void stack_port_input(const struct packet *);
/* Gives a saved SYN (TCP header, writable, aligned) to lwIP: the new pcb, or NULL. */
struct tcp_pcb *stack_port_open(struct stack_conn *, const struct addr *app, const struct addr *target, const uint8_t *tcp,
				uint32_t len);
void stack_port_reset(const struct addr *app, const struct addr *target, uint32_t seq, uint32_t ack);
/* The two ends of a connection. */
void stack_port_ends(const struct tcp_pcb *, struct addr *app, struct addr *target);
/* The slice that a pbuf of ours refers to. */
struct slice stack_port_slice(const struct pbuf *);

#endif
