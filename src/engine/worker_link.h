/*
 * Questions of the supervisor and answers of its workers: one line of JSON each
 * over a socketpair, numbered, so that an answer that came too late is not taken
 * for that of the next question. What may be asked is engine/status.h's
 * registry; the control socket asks the supervisor, which asks here.
 */
#ifndef GATUN_ENGINE_WORKER_LINK_H
#define GATUN_ENGINE_WORKER_LINK_H

#include <jansson.h>

/* ---- the supervisor ---- */

/* What the one who is asked says by another way before he can answer: it blocks
 * when that way is full, so whoever waits for him listens there too. */
struct worker_talk {
	int fd;
	void (*hear)(void *owner);
	void *owner;
	unsigned wait_ms; /* for the answer; 0: two seconds */
};

/* Waits for the answer; talk: or NULL. A new reference, or NULL: there is none. */
json_t *worker_link_ask(int fd, const json_t *request, const struct worker_talk *);

/* ---- a worker ---- */

/* Answers from the loop by engine_request(). When the supervisor is gone, the loop stops. 0 or -errno. */
int worker_link_serve(int fd);
void worker_link_close(void);

#endif
