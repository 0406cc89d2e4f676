/*
 * Datagrams that one worker hands to another: an inbox for each, a pair of
 * AF_UNIX sockets. All write to one end, its worker reads the other. The
 * supervisor holds both ends of all, so an inbox outlives its worker, and the
 * next life reads on. What stands in a message is the business of who sends it:
 * a note of fixed size, and the datagram. Nobody is waited for: a full inbox is
 * a lost datagram.
 */
#ifndef GATUN_IO_INBOXES_H
#define GATUN_IO_INBOXES_H

#include <stdbool.h>
#include <stddef.h>

#include "io/slice.h"

#define INBOXES_NOTE_MAX 128u

struct inboxes;

/* ---- the supervisor, before it forks ---- */

/* note_size: at most INBOXES_NOTE_MAX. NULL: no memory, or no descriptors. */
struct inboxes *inboxes_new(int workers, size_t note_size);
void inboxes_free(struct inboxes *);
/* What a worker has to keep open of it, workers + 1 at most; how many. */
int inboxes_fds(const struct inboxes *, int worker, int *fds);

/* ---- a worker ---- */

/* One message. The note is aligned like any struct; the datagram, one byte at least and at
 * most 65,535, borrowed, stands at an offset of 16 in its buffer. */
typedef void inboxes_fn(void *owner, const void *note, struct slice datagram);

/* From now on it reads its inbox. 0 or -errno. */
int inboxes_join(struct inboxes *, int worker, inboxes_fn *received, void *owner);
void inboxes_leave(struct inboxes *);

/* False: the worker is busy, and the datagram lost. Always 0 < len < 65,536. */
bool inboxes_send(const struct inboxes *, int worker, const void *note, const void *datagram, size_t len);

#endif
