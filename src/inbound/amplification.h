/*
 * The amplification guard: to an address that has not proven itself no more
 * bytes go back than so many times what came from there. Bytes are those of the
 * wire, IP and UDP headers included. docs/decisions/0009-amplification.md has
 * the reasons and the numbers.
 *
 * There is nothing to begin with and nothing per session, so many sessions of one
 * address gain nothing. It does not know what the bytes are.
 */
#ifndef GATUN_INBOUND_AMPLIFICATION_H
#define GATUN_INBOUND_AMPLIFICATION_H

#include "inbound/proven.h"

struct amplification {
	uint32_t factor;	     /* 0: no ceiling */
	const struct proven *proven; /* or NULL: nobody is */
};

/* Of one client at one address; zeroed when it comes from another. */
struct amplification_credit {
	uint64_t bytes;
	uint64_t trusted_ms; /* proven, when last looked at, until then */
};

#define AMPLIFICATION_LOOK_MS 1000

static inline uint64_t amplification_wire(const struct addr *peer, uint64_t bytes, uint64_t datagrams)
{
	return bytes + datagrams * (peer->family == AF_INET6 ? 48 : 28);
}

/* A datagram of `len` bytes came from there. */
static inline void amplification_earn(const struct amplification *a, struct amplification_credit *c, const struct addr *peer,
				      uint64_t len)
{
	if (c->bytes < UINT64_MAX / 2)
		c->bytes += amplification_wire(peer, len, 1) * a->factor;
}

/* May so many bytes, in so many datagrams, go there? Then they are charged. Asked
 * where there is a ceiling. */
static inline bool amplification_allows(const struct amplification *a, struct amplification_credit *c, const struct addr *peer,
					uint64_t bytes, uint64_t datagrams, uint64_t now_ms)
{
	uint64_t wire = amplification_wire(peer, bytes, datagrams);

	if (now_ms < c->trusted_ms)
		return true;
	if (wire <= c->bytes) {
		c->bytes -= wire;
		return true;
	}
	if (!a->proven || !proven_is(a->proven, peer, now_ms))
		return false;
	c->trusted_ms = now_ms + AMPLIFICATION_LOOK_MS;
	return true;
}

#endif
