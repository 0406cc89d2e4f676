/*
 * The salts of the last few thousand SIP004 datagrams. SIP004 has no time and no
 * number, so remembering some is all one can do without holding memory for ever.
 * Several workers may remember together.
 */
#ifndef GATUN_INBOUND_SS_SALTS_H
#define GATUN_INBOUND_SS_SALTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SS_SALTS 8192u /* a power of two */
#define SS_SALTS_BYTES (SS_SALTS * sizeof(uint64_t))

/* Zeroed: none yet. */
struct ss_salts {
	uint64_t *recent; /* [SS_SALTS], while there is traffic */
	uint64_t last_ms;
	bool shared;
};

/* All workers use this memory, which is borrowed. */
void ss_salts_share(struct ss_salts *, uint64_t *recent);
/* False: this salt was seen lately. It has 8 bytes at least. Without memory all are new. */
bool ss_salts_take(struct ss_salts *, const uint8_t *salt, uint64_t now_ms);
/* Gives its memory back when no salt came for a while; true while it holds some. */
bool ss_salts_keep(struct ss_salts *, uint64_t now_ms);
void ss_salts_free(struct ss_salts *);

#endif
