/*
 * Two kernel sockets joined in the kernel: what one says goes to the other through
 * a pipe (splice(2)), without a copy to here and back.
 */
#ifndef GATUN_IO_TCP_SPLICE_H
#define GATUN_IO_TCP_SPLICE_H

#include "io/stream.h"

/* Bytes of a stream went to the other; owner: the stream's. Only counts: ends nothing. */
typedef void tcp_splice_moved(void *owner, size_t n);

/*
 * From now on both feed each other, if both streams are bare (stream_bare).
 * Their events go on as before, but bulk goes past data() and write(), and moved (each
 * side's own) tells of it; what is small, and what finds no pipe, still comes by data(). want(), shut(),
 * fin and ended mean what they always did. It lasts until one of the two ends.
 */
void tcp_splice_join(struct stream *, tcp_splice_moved *, struct stream *, tcp_splice_moved *);

/* Pipes that hold bytes which their reader does not take, now; and all that there are. */
unsigned tcp_splice_waiting(void);
unsigned tcp_splice_pipes(void);

#endif
