/*
 * Which queue of a TUN gets a packet: a small eBPF program in the kernel, and
 * the same function in C. The kernel's own steering would guess by who answered
 * last, which a worker with flows of its own cannot live with.
 *
 *   TCP                  by both ends: a flow stays with one queue
 *   UDP                  by the source alone, address and port, so that all that an app's
 *                        socket says to whomever (full cone) is one queue's
 *   what has no ports    queue 0: fragments, ICMP, other protocols, and IPv6 packets with
 *                        extension headers, whose ports the program does not look for
 *
 * Queue 0's worker finds the owner of what came to it for want of ports, and
 * hands it over (inbound/tun_owners.h). ICMP errors need no owner: none has an effect.
 */
#ifndef GATUN_SYS_STEERING_H
#define GATUN_SYS_STEERING_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* Once per device, with any of its descriptors, after all queues are there: they are told apart
 * by the order in which they were opened. Needs CAP_BPF or CAP_SYS_ADMIN (or a kernel that lets
 * everybody load socket filters) now, nothing later. 0, or -errno with a sentence: then only
 * one queue may be used. */
int steering_attach(int tun_fd, char *err, size_t size);

/* The queue of n that the program chooses for a packet of this flow, of IPPROTO_TCP, UDP or
 * any other, and which has no extension headers. */
uint32_t steering_queue(uint8_t proto, const struct addr *src, const struct addr *dst, uint32_t n);

#endif
