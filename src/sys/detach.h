/*
 * Going on in the background: the command that was typed returns when the
 * service stands, with 0, or with the code and the words with which it ended.
 */
#ifndef GATUN_SYS_DETACH_H
#define GATUN_SYS_DETACH_H

#include <stdbool.h>

struct detach {
	int ready; /* to the process that waits; -1: nobody waits */
	bool messages; /* ours go by way of it, too, until then */
};

/*
 * Before threads, loops and locks. True in the process that goes on: a session of
 * its own, standard input and output /dev/null, messages by way of the one that
 * waits (or into the file that they go to anyhow). False in the one that was
 * typed, when it is time to end with *exit_code. 0 in *err, or -errno and true.
 */
bool sys_detach(struct detach *, int *exit_code, int *err);
/* It stands. Messages go nowhere from now on, unless into a file. */
void sys_detach_ready(struct detach *);

#endif
