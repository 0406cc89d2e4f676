/*
 * The network that this process is in, as a number: whoever keeps what depends on it (a
 * socket's source address, an answer of a resolver) notes the number, and looks again when
 * it is another one. So a change costs a comparison where something is used, and nothing
 * where nothing is. Who counts is engine/network.c.
 */
#ifndef GATUN_IO_NETWORK_H
#define GATUN_IO_NETWORK_H

#include <stdint.h>

extern uint32_t network_number;

#endif
