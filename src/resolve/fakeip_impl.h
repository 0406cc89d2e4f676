/* What fakeip.c and fakeip_file.c share: where a map's parts are. Not for others. */
#ifndef GATUN_RESOLVE_FAKEIP_IMPL_H
#define GATUN_RESOLVE_FAKEIP_IMPL_H

#include <pthread.h>
#include <sodium.h>
#include <stddef.h>

#include "resolve/fakeip.h"

#define FAKEIP_BUCKETS (1u << 14)

/* What outlives us: who has the index. A record counts if its sum is right. */
struct fakeip_record {
	uint8_t sum[crypto_shorthash_BYTES]; /* of index, len and name, under the map's key */
	uint8_t used;			     /* connected to; any byte but 0 is yes */
	uint8_t len;			     /* 0: nobody has it */
	char name[256];			     /* with a NUL */
	uint8_t rest[6];
};

/* What does not. */
struct fakeip_slot {
	uint64_t last_ms; /* read and written at once, without the lock */
	uint32_t next;	  /* in its bucket: index + 1, or 0 */
	uint32_t print;	  /* of its name */
	uint32_t turn;	  /* odd: the record is being written */
	uint32_t rest;
};

/* Memory that processes share. */
struct fakeip_common {
	pthread_mutex_t lock;
	uint32_t count; /* indices below it have been given out, not all of them taken */
	uint32_t live;	/* taken */
	uint32_t room;	/* records that there is memory (or file) for */
	uint32_t hand;	/* where the search for one that is over goes on */
	uint32_t buckets[FAKEIP_BUCKETS];
	struct fakeip_slot slots[];
};

struct fakeip {
	struct fakeip_common *common;
	size_t common_size;
	struct fakeip_record *records;
	void *mapping; /* the records, and before them a file's head */
	size_t size;
	int fd; /* of the file, or -1 */
	bool shared;
	uint32_t max;
	uint64_t answered_ms, used_ms;
	uint32_t net4, mask4;
	uint8_t net6[16], len4, len6;
	uint8_t key[crypto_shorthash_KEYBYTES];
};

/* All but the records, the key and the IPv6 range where it is to be random. NULL: no memory. */
struct fakeip *fakeip_make(const struct fakeip_options *);
/* Everything that can be known from the records is made of them anew; those that do not count
 * are emptied. With the lock, or where nobody else can have it. */
void fakeip_rebuild(struct fakeip *, uint64_t now_ms);

/* fakeip_file.c: more records. 0 or -ENOSPC. With the lock. */
int fakeip_grow(struct fakeip *);

#endif
