/*
 * What follows when this machine's network changes, in every process that has flows: what
 * lost its source address ends, what is known of names and ways is looked at anew, and who
 * asked to be told is told. See network.c.
 */
#ifndef GATUN_ENGINE_NETWORK_H
#define GATUN_ENGINE_NETWORK_H

#include "sys/netwatch.h"

/* After the loop stands. Where the kernel does not let us watch, a line says so and nothing follows. */
void network_begin(void);
void network_end(void);
/* Told of each change, after what every process does, and every ten seconds without one (`what` 0);
 * one, or NULL. */
void network_set_listener(void (*changed)(void *owner, const struct netwatch_change *), void *owner);
/* An address of this machine's, as last seen? Its port means nothing. */
bool network_is_ours(const struct addr *);

#endif
