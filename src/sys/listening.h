/*
 * Does anybody on this machine hold a local port? Looked up in the kernel's own
 * tables (/proc/net), so that asking touches nobody: a connection made only to
 * find out would be carried on to the far end by a plugin.
 */
#ifndef GATUN_SYS_LISTENING_H
#define GATUN_SYS_LISTENING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* A TCP listener (or a UDP socket) that gets what is sent to `addr`: bound to it
 * or to all addresses. 1, 0, or -errno where the tables cannot be read. */
int sys_listening(const struct addr *addr, bool udp);
/* The TCP ports that anybody listens on in this network namespace, each once: how many, at most
 * `max`, or -errno where the tables cannot be read. */
int sys_listening_ports(uint16_t *ports, int max);
/* UDP ports that the kernel itself serves (WireGuard, VXLAN, ...): sockets of no process. As above. */
int sys_kernel_udp_ports(uint16_t *ports, int max);
/* The ports that the kernel gives to who asks for none. 0 or -errno. */
int sys_ephemeral_ports(uint16_t *from, uint16_t *to);

#endif
