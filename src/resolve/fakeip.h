/*
 * Fake addresses: every name gets an index, and each index one IPv4 and one
 * IPv6 address that exist nowhere else, so that a connection to one of them
 * says which name was meant.
 *
 * IPv4: 198.18.0.0/15 (RFC 2544, benchmarking) or a range that is given,
 * without .0 and .255 of each /24, which old software takes for broadcasts.
 * IPv6: a /64 of a random ULA (RFC 4193), or a range, with the index in its
 * last 32 bits.
 *
 * A name keeps its index as long as somebody may hold the address: one that
 * was only answered for FAKEIP_ANSWERED_MS, one that was connected to for
 * FAKEIP_USED_MS after its last use. Indices are given out fresh until none is
 * left; then, of those whose time is over, the one that was unused for longest
 * is given away (fakeip_oldest.c). None such: -ENOSPC, never somebody else's
 * address. Time is handed in.
 *
 * A map may be shared by processes that fork() made after it, and may stand in
 * a file (fakeip_file.c), which any of them may be killed over at any moment.
 */
#ifndef GATUN_RESOLVE_FAKEIP_H
#define GATUN_RESOLVE_FAKEIP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

#define FAKEIP_MAX (512u * 254u)
#define FAKEIP_ANSWERED_MS (5u * 60 * 1000)
#define FAKEIP_USED_MS (60u * 60 * 1000)

#define FAKEIP_FLUSH_MS 60000u /* an answer's TTL is a second: who still holds one so old without using it asks again */

/* What a range may be: room for some names, and not the half of all there is. */
#define FAKEIP_LEN4_MIN 8
#define FAKEIP_LEN4_MAX 28
#define FAKEIP_LEN6_MIN 16
#define FAKEIP_LEN6_MAX 96

struct fakeip_options {
	uint32_t max;		/* names at most; 0 = as many as the range has, up to FAKEIP_MAX */
	struct addr net4, net6; /* host bits 0; family 0: as above */
	uint8_t len4, len6;
	uint32_t keep_s; /* instead of FAKEIP_USED_MS, and where it is less of FAKEIP_ANSWERED_MS; 0 = those */
	bool shared;	 /* with children of this process */
};

struct fakeip;
/* In memory. NULL: out of it. */
struct fakeip *fakeip_new(const struct fakeip_options *);

enum fakeip_found {
	FAKEIP_FRESH,	    /* there was no file */
	FAKEIP_KEPT,	    /* its names are there again, their time begun anew */
	FAKEIP_DAMAGED,	    /* it was ours once, and is begun anew */
	FAKEIP_OTHER_RANGE, /* it was of another range, and is begun anew */
	FAKEIP_FOREIGN,	    /* it was no file of ours: set aside as PATH.old */
};
/* In a file, which nobody else has open as long as this one lives (a holder that is ending is
 * waited for). NULL: *err is an errno; EBUSY: another holds it. */
struct fakeip *fakeip_open(const struct fakeip_options *, const char *path, uint64_t now_ms, enum fakeip_found *, int *err);
/* NULL is nothing. A process that shares a map lets go of it alone. */
void fakeip_free(struct fakeip *);

/* That of its file, which a process that shares the map keeps open; -1: none, and of no map. */
int fakeip_descriptor(const struct fakeip *);

/* The index of `name` (lower case, no last dot, 1..255 bytes), made if need
 * be, its age begun anew. 0 or -ENOSPC. */
int fakeip_assign(struct fakeip *, const char *name, size_t len, uint64_t now_ms, uint32_t *index);

/* True for an address of ours, mapped or not. Ports are ignored. */
bool fakeip_is_fake(const struct fakeip *, const struct addr *);
/* The name behind an address: its length, and it in name[256], with a NUL. 0: it maps to nothing. */
uint8_t fakeip_find(const struct fakeip *, const struct addr *, char *name, uint32_t *index);
/* A flow uses the name: keeps it for FAKEIP_USED_MS from now. Cheap enough for
 * every datagram. */
void fakeip_touch(struct fakeip *, uint32_t index, uint64_t now_ms);

struct addr fakeip_v4(const struct fakeip *, uint32_t index, uint16_t port);
struct addr fakeip_v6(const struct fakeip *, uint32_t index, uint16_t port);
/* The ranges: what must be routed to whoever answers with these addresses. */
struct addr fakeip_net4(const struct fakeip *, uint8_t *len);
struct addr fakeip_net6(const struct fakeip *, uint8_t *len);
/* Forgets every name that nobody has asked for or used for FAKEIP_FLUSH_MS. Returns how many. */
uint32_t fakeip_flush(struct fakeip *, uint64_t now_ms);
/* Names that have an address now. */
uint32_t fakeip_count(const struct fakeip *);

#endif
