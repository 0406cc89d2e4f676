/*
 * lwIP glue: TCP of a TUN device as streams. Every destination and port is
 * accepted. A SYN is held, not answered, until the owner accepts the stream
 * (or ends it: RST or ICMP as the word says); then lwIP gets the raw SYN.
 */
#ifndef GATUN_INBOUND_STACK_H
#define GATUN_INBOUND_STACK_H

#include "inbound/inbound.h"
#include "inbound/tun.h"

/* lwIP is global state: one stack per process. 0 or -errno. */
int stack_init(struct tun *, const struct inbound_events *, void *owner);
void stack_free(void);
/* The device's MTU has changed: new connections agree on what fits it. */
void stack_follow_mtu(void);
/* An address has come: connections from there that ended because it was gone (END_ADDRESS_GONE) are
 * reset once more, as nobody could hear it the first time. is_back: is this one there? */
void stack_tell_unheard(bool (*is_back)(const struct addr *));
/* The tun handler for TCP, and for the end of a batch. */
void stack_input(const struct packet *);
void stack_batch_end(void);

struct stack_counters {
	uint32_t active, held_syn; /* now */
	uint64_t opened, refused, bad_checksum, syn_limit;
};
const struct stack_counters *stack_counters(void);

#endif
