/*
 * Where TCP sockets receive: a buffer that all share is filled by one receive after
 * another until its rest is small, so that a short message does not pin a large buffer,
 * and a fast flow still gets 128 KiB at once.
 */
#ifndef GATUN_IO_TCP_ARENA_H
#define GATUN_IO_TCP_ARENA_H

#include "io/slice.h"

/* Room for at most `most` bytes, without a reference; buf NULL: the pool has none. */
struct slice tcp_arena_room(uint32_t most);
/* That many bytes of it now hold what was received. */
void tcp_arena_take(uint32_t len);
/* Gives the buffer back if nothing was received since the last call. Called by the slow
 * timer that trims the pools. */
void tcp_arena_trim(void);

#endif
