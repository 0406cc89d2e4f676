/* SIP022 sessions that ended, for as long as a recorded datagram of theirs could
 * still be young enough to pass: id and highest packet id. Time is handed in. */
#ifndef GATUN_INBOUND_SS_GRAVES_H
#define GATUN_INBOUND_SS_GRAVES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/list.h"

/* Twice the 30 s that a timestamp may be off: how long after its last datagram
 * a session's packets may still pass. */
#define SS_GRAVE_MS 60000
/* 64 bytes each. Beyond it the oldest goes: only who has the key can make them. */
#define SS_GRAVES_MAX 32768

struct ss_graves {
	struct hash by_id;
	struct list by_age;
};

int ss_graves_init(struct ss_graves *g); /* 0 or -ENOMEM */
void ss_graves_free(struct ss_graves *g);
/* heard_ms: when its last datagram came. */
void ss_graves_add(struct ss_graves *g, uint64_t id, uint64_t last_packet_id, uint64_t heard_ms);
/* Is there a grave of session `id`? Then *last_packet_id is all of its that may not come again. */
bool ss_graves_find(struct ss_graves *g, uint64_t id, uint64_t now_ms, uint64_t *last_packet_id);
/* Forgets what is over age (the two above do so too). */
void ss_graves_expire(struct ss_graves *g, uint64_t now_ms);

#endif
