/* What fakeip.c, fakeip_file.c and fakeip_oldest.c share: where a map's parts are. Not for others. */
#ifndef GATUN_RESOLVE_FAKEIP_IMPL_H
#define GATUN_RESOLVE_FAKEIP_IMPL_H

#include <pthread.h>
#include <sodium.h>
#include <stddef.h>

#include "resolve/fakeip.h"

#define FAKEIP_BUCKETS (1u << 14)
#define FAKEIP_OLDEST 64u

#define FAKEIP_MAGIC "gatun names 1\n"

/* The first of a file's bytes; records begin a page after it. */
struct fakeip_head {
	char magic[16];
	uint32_t record_size, net4;
	uint8_t net6[16], len4, len6, rest[6];
	uint8_t key[crypto_shorthash_KEYBYTES];
	uint8_t sum[crypto_shorthash_BYTES]; /* of all before it, under the key */
};

/* What outlives us: who has the index. A record counts if its sum is right. */
struct fakeip_record {
	uint8_t sum[crypto_shorthash_BYTES]; /* of index, len and name, under the map's key */
	uint8_t used;			     /* connected to; any byte but 0 is yes */
	uint8_t len;			     /* 0: nobody has it */
	char name[256];			     /* with a NUL */
	uint8_t rest[6];
};

/* What does not; of it alone the chains are made, so that a file which changes under us breaks none. */
struct fakeip_slot {
	uint64_t last_ms; /* read and written at once, without the lock */
	uint32_t next;	  /* in its bucket: index + 1, or 0 */
	uint32_t print;	  /* of its name */
	uint32_t turn;	  /* odd: the record is being written */
	uint16_t bucket;  /* whose chain it is in, + 1; 0: in none, nobody has the index */
	uint8_t used;	  /* as the record's, without the lock */
	uint8_t rest;
};

/* One that had been unused for longer than its time, when it was looked at. */
struct fakeip_old {
	uint64_t last_ms;
	uint32_t index, rest;
};

/* Memory that processes share. */
struct fakeip_common {
	pthread_mutex_t lock;
	uint32_t count; /* indices below it have been given out, not all of them taken */
	uint32_t live;	/* taken */
	uint32_t room;	/* records that there is memory (or file) for */
	/* fakeip_oldest.c, with the lock */
	uint64_t none_before_ms; /* until then nobody's time is over but those of `oldest` */
	uint32_t n_oldest, next_oldest;
	struct fakeip_old oldest[FAKEIP_OLDEST];
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

/* How long the one at this index is kept from its last use or answer on. */
static inline uint64_t fakeip_life_ms(const struct fakeip *f, uint32_t index)
{
	return __atomic_load_n(&f->common->slots[index].used, __ATOMIC_RELAXED) ? f->used_ms : f->answered_ms;
}

/* fakeip_oldest.c, with the lock. The index that nobody has, or whose time has been over for longest.
 * 0, or -ENOSPC: all are in use. */
int fakeip_oldest(struct fakeip *, uint64_t now_ms, uint32_t *index);
/* What it found out holds no more. */
void fakeip_oldest_forget(struct fakeip *);

/* fakeip_file.c: more records. 0 or -ENOSPC. With the lock. */
int fakeip_grow(struct fakeip *);

#endif
