/*
 * Where UDP datagrams are received: slots of 64 KiB that all sockets of the
 * process share. They are mapped once, and their pages come when touched and go
 * back to the system some seconds after the last datagram. The slot used last is
 * taken first (it is in the cache), and the slots start on different cache sets
 * (a stride of 64 KiB exactly would make them evict one another).
 */
#ifndef GATUN_IO_UDP_SLOTS_H
#define GATUN_IO_UDP_SLOTS_H

#include "io/slice.h"

#define UDP_SLOT_SIZE 65536u
#define UDP_SLOTS 64

/* Up to `max` free slots, one reference each; how many. Unref gives them back.
 * Fewer than asked, even 0, when they are in use until the end of the turn, or
 * there is no memory. */
int udp_slots_take(struct buf **out, int max);
/* Slots now in use. */
int udp_slots_used(void);

#endif
