/*
 * The listening descriptors of one worker, by type and address. The supervisor
 * has a keeper for each of its workers, filled by what they tell it; a worker
 * begins with the copy that fork() gives it, and takes from there what an
 * earlier life had opened (io/kept.h says why).
 */
#ifndef GATUN_ENGINE_KEEPER_H
#define GATUN_ENGINE_KEEPER_H

#include <stdbool.h>

#include "base/addr.h"

struct keeper_item {
	int type; /* SOCK_STREAM or SOCK_DGRAM */
	struct addr at;
	int fd;	   /* owned; -1 in a worker that has taken it */
	bool open; /* in a worker: it listens there */
};

struct keeper {
	struct keeper_item *items;
	int n, size;
};

struct keeper_item *keeper_find(const struct keeper *, int type, const struct addr *);
/* Takes fd, which takes the place of an older one. Without memory it is closed,
 * and only a crash would show it. */
void keeper_put(struct keeper *, int type, const struct addr *, int fd);
void keeper_drop(struct keeper *, int type, const struct addr *);
/* Closes all. */
void keeper_clear(struct keeper *);

#endif
