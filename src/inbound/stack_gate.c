/*
 * The gate against floods of SYNs from addresses that change: when half of the
 * places for held SYNs are taken, a SYN is let in only if it was seen before. A
 * kernel that means it asks again after a second; a flood of made-up addresses
 * does not, and costs no dial. A client that comes during a flood so waits one
 * second, instead of being one of 200,000 a second that draw lots.
 *
 * What was seen is a table of 2^20 tags of 16 bits, under the process's secret
 * hash; an older tag is overwritten. It exists only since a flood and until a
 * minute after it.
 */
#include <stdlib.h>

#include "inbound/packet.h"
#include "inbound/stack_conn.h"
#include "loop/loop.h"

#define SEEN_SLOTS (1u << 20)
#define SEEN_KEPT_MS 60000

static uint16_t *seen;
static uint64_t used_ms;

bool stack_gate_pass(const struct packet *p)
{
	struct {
		struct addr src, dst;
		uint8_t seq[4];
	} key = { .src = p->src, .dst = p->dst };
	uint64_t value;
	uint16_t tag;
	uint16_t *slot;

	if (!seen)
		seen = calloc(SEEN_SLOTS, sizeof(*seen)); /* pages that are not touched do not exist */
	if (!seen)
		return false;
	used_ms = loop_now();
	packet_put32(key.seq, packet_get32(packet_l4(p) + 4));
	value = hash_bytes(&key, sizeof(key));
	slot = &seen[value & (SEEN_SLOTS - 1)];
	tag = (uint16_t)(value >> 48) | 1;
	if (*slot == tag)
		return true;
	*slot = tag;
	return false;
}

void stack_gate_sweep(void)
{
	if (!seen || loop_now() - used_ms < SEEN_KEPT_MS)
		return;
	free(seen);
	seen = NULL;
}

void stack_gate_free(void)
{
	free(seen);
	seen = NULL;
}
