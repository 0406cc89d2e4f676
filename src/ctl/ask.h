/* The asking side of the control socket: what `gatun status` does. It blocks. */
#ifndef GATUN_CTL_ASK_H
#define GATUN_CTL_ASK_H

#include <jansson.h>

/*
 * Sends the request and waits for its answer, at most 10 s and 64 MiB.
 * 0 with *answer, a new reference; or -errno: -ECONNREFUSED, -ENOENT: nobody is
 * there; -EACCES; -ETIMEDOUT; -EPROTO: what came is no document.
 */
int ctl_ask(const char *path, const json_t *request, json_t **answer);
/* Such a -errno in the words of a user. */
const char *ctl_ask_sentence(int err);

#endif
