/*
 * Fake addresses: every name gets an index, and each index one IPv4 and one
 * IPv6 address that exist nowhere else, so that a connection to one of them
 * says which name was meant.
 *
 * IPv4: 198.18.0.0/15 (RFC 2544, benchmarking), without .0 and .255 of each
 * /24, which old software takes for broadcasts. IPv6: a /64 of a random ULA
 * (RFC 4193) with the index in its last 32 bits.
 *
 * A name keeps its index as long as somebody may hold the address: one that
 * was only answered for FAKEIP_ANSWERED_MS, one that was connected to for
 * FAKEIP_USED_MS after its last use. Indices are given out fresh until none is
 * left; then the longest unused whose time is over is given away. None such:
 * -ENOSPC, never somebody else's address. Time is handed in.
 */
#ifndef GATUN_RESOLVE_FAKEIP_H
#define GATUN_RESOLVE_FAKEIP_H

#include "base/addr.h"
#include "base/hash.h"
#include "base/list.h"

#define FAKEIP_MAX (512u * 254u)
#define FAKEIP_ANSWERED_MS (5u * 60 * 1000)
#define FAKEIP_USED_MS (60u * 60 * 1000)

struct fakeip_entry {
	struct hash_node node;
	struct list lru; /* in answered or used */
	uint64_t last_ms;
	uint32_t index;
	bool used;
	uint8_t len;
	char name[];
};

#define FAKEIP_PAGE 256u

struct fakeip {
	struct hash names;
	struct list answered, used;		    /* longest unused first */
	struct fakeip_entry **pages[FAKEIP_MAX / FAKEIP_PAGE]; /* by index; made on demand */
	uint32_t count, max;
	uint8_t prefix6[8];
};

/* max: names at most, up to FAKEIP_MAX; 0 = that. 0 or -ENOMEM. */
int fakeip_init(struct fakeip *f, uint32_t max);
void fakeip_free(struct fakeip *f);

/* The entry of `name` (lower case, no last dot, 1..255 bytes), made if need
 * be, its age begun anew. 0, -ENOSPC or -ENOMEM. */
int fakeip_assign(struct fakeip *f, const char *name, size_t len, uint64_t now_ms, struct fakeip_entry **out);
/* The same without making one: NULL if there is none. */
struct fakeip_entry *fakeip_find_name(const struct fakeip *f, const char *name, size_t len);

/* True for an address of ours, mapped or not. Ports are ignored. */
bool fakeip_is_fake(const struct fakeip *f, const struct addr *a);
/* The entry behind an address; NULL: it maps to nothing. */
struct fakeip_entry *fakeip_find_addr(const struct fakeip *f, const struct addr *a);
/* A flow uses the name: keeps it for FAKEIP_USED_MS from now. Cheap enough for
 * every datagram. */
void fakeip_touch(struct fakeip *f, struct fakeip_entry *e, uint64_t now_ms);

struct addr fakeip_v4(const struct fakeip_entry *e, uint16_t port);
struct addr fakeip_v6(const struct fakeip *f, const struct fakeip_entry *e, uint16_t port);

#endif
