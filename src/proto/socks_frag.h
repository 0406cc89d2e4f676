/*
 * The reassembly of SOCKS5 UDP fragments (RFC 1928 section 7), one queue: the
 * fragments 1, 2, ... of a datagram come in order, the one with bit 7 set is
 * the last. Whatever breaks the order abandons the queue. Without clock and
 * sockets: the owner abandons it when its time is up (at least 5 seconds).
 */
#ifndef GATUN_PROTO_SOCKS_FRAG_H
#define GATUN_PROTO_SOCKS_FRAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define SOCKS_FRAG_LAST 0x80u
#define SOCKS_FRAG_DATA_MAX 65507u

struct socks_frag {
	uint8_t *data; /* the owner's buffer of SOCKS_FRAG_DATA_MAX bytes; NULL: there is no queue */
	uint32_t len;
	uint8_t next;  /* the number that must come */
	struct target target; /* of the first fragment */
};

enum socks_frag_verdict {
	SOCKS_FRAG_MORE,      /* taken, more must come */
	SOCKS_FRAG_WHOLE,     /* data, len and target are the datagram */
	SOCKS_FRAG_ABANDONED, /* out of order, to another target, or too long: the queue is empty */
};
/* frag is not 0. With data set; starts a queue with fragment 1. */
enum socks_frag_verdict socks_frag_add(struct socks_frag *, uint8_t frag, const struct target *, const uint8_t *data, size_t len);
/* Forgets what was collected; true if it was something. */
bool socks_frag_reset(struct socks_frag *);

#endif
