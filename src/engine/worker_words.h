/*
 * What a worker tells its supervisor unasked: one message each on a
 * SOCK_SEQPACKET pair, a descriptor beside it where the word says so. Both ends
 * are the same program, so the messages are plain structs. Questions and answers
 * go another way (worker_link.h).
 */
#ifndef GATUN_ENGINE_WORKER_WORDS_H
#define GATUN_ENGINE_WORKER_WORDS_H

#include "base/addr.h"
#include "proto/ss_users.h"

enum worker_word {
	WORKER_LISTENS,	 /* type, at, and the descriptor: to be kept */
	WORKER_LEFT,	 /* type, at: nobody listens there any more */
	WORKER_READY,	 /* everything is open, clients are served */
	WORKER_USER,	 /* at its end: what a user did; where, name, counters */
};

#define WORKER_NAME_MAX 512

struct worker_message {
	enum worker_word word;
	int type;
	struct addr at;
	struct ss_user_counters counters;
	char where[TARGET_STRLEN], name[WORKER_NAME_MAX];
};

/* fd: sent along, or -1. Blocks while the other end is busy. 0 or -errno. */
int worker_words_send(int link, const struct worker_message *, int fd);
/* Without waiting: 1 with *fd = -1 or a descriptor; 0: nothing is there; -errno:
 * the other end is gone (-EPIPE), or this is no message. */
int worker_words_receive(int link, struct worker_message *, int *fd);

#endif
