/*
 * Which address an app used for a UDP peer. A datagram to a fake address goes
 * out to a name; its reply comes from an IP that the app never saw, and must
 * carry the fake address again, or a connected socket drops it. The mapping of
 * the app's source stays one (full cone), so that this is a memory beside it:
 * per source, the fakes it sent to, what they turned out to be, and the real
 * addresses that it sent to by itself.
 *
 * A reply from a real address R, port P to a source:
 *   1. the source sent to R:P by itself         → R
 *   2. R:P was learned to be a fake             → that fake
 *   3. the latest fake sent to, port P, of which nothing is learned yet → that, learned
 *   4. the latest fake, port P, that was sent to again but has been silent for
 *      ALIAS_SILENT_MS (its name now resolves to another host) → that, learned anew
 *   5. R
 */
#ifndef GATUN_DNS_ALIAS_H
#define GATUN_DNS_ALIAS_H

#include <stdbool.h>

#include "io/datagram.h"

#define ALIAS_SILENT_MS 1000u

int alias_init(void); /* 0 or -ENOMEM */
void alias_free(void);
/* True if any source has sent to a fake address: else nothing below is needed. */
bool alias_any(void);

/* `key` sent to a fake address. False: no memory, its replies will not be turned back. */
bool alias_sent_fake(const struct assoc_key *key, const struct addr *fake, uint64_t now_ms);
/* `key` sent to a real address. Remembered only for sources with fakes. */
void alias_sent_real(const struct assoc_key *key, const struct addr *real);
/* A reply from `real` to `key`: true with *fake filled if it goes by that. */
bool alias_reply(const struct assoc_key *key, const struct addr *real, uint64_t now_ms, struct addr *fake);
/* The latest fake that `key` sent to for which `is` says yes. */
bool alias_find(const struct assoc_key *key, bool (*is)(const struct addr *fake, const void *arg), const void *arg,
		struct addr *fake);
void alias_forget(const struct assoc_key *key);

#endif
