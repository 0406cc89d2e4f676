/*
 * Where lwIP calls the glue (inbound/stack_port.c) instead of itself. Included
 * by lwIP's sources; everything here is called from the loop, never reentered.
 */
#ifndef GATUN_LWIP_HOOKS_H
#define GATUN_LWIP_HOOKS_H

#include "lwip/arch.h"
#include "lwip/ip_addr.h"

struct tcp_pcb;

/* Key of the demultiplexer's table (patch 0001): SipHash under a random key. */
u32_t stack_lwip_hash(const void *key, size_t len);
#define LWIP_HOOK_TCP_HASH(key, len) stack_lwip_hash(key, len)

/* Initial sequence numbers as RFC 6528 wants them. */
u32_t stack_lwip_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port);
#define LWIP_HOOK_TCP_ISN(lip, lport, rip, rport) stack_lwip_isn(lip, lport, rip, rport)

/* tcp_input() has done its work on this pcb: send at the end of the turn, once
 * for all its segments (patch 0004). */
void stack_lwip_dirty(struct tcp_pcb *pcb);
#define LWIP_HOOK_TCP_INPUT_DONE(pcb) stack_lwip_dirty(pcb)

/* The pcb is about to be freed, for whatever reason (patch 0004). */
void stack_lwip_gone(struct tcp_pcb *pcb);
#define LWIP_HOOK_TCP_FREE(pcb) stack_lwip_gone(pcb)

#endif
