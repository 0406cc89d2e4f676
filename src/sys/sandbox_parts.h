/*
 * What the files of the sandbox share: the talk between gatun outside and init
 * inside, and the steps that init takes. Besides them doctor/ includes it, which
 * takes the same steps to see whether they can be taken.
 *
 * The talk, over one SOCK_SEQPACKET pair (a message is never split):
 *   outside → init  enum sandbox_map, once, after clone
 *   init → outside  struct sandbox_report, once, with the TUN's fd if it is ok
 *   outside → init  one byte: go. End of file before or after it: end at once
 *   init → outside  SANDBOX_STOPPED whenever the command stops
 */
#ifndef GATUN_SYS_SANDBOX_PARTS_H
#define GATUN_SYS_SANDBOX_PARTS_H

#include <stddef.h>

#include "sys/sandbox.h"

#define SANDBOX_TEXT_MAX 512
#define SANDBOX_SIGNAL 0x6761 /* sigqueue's value on signals for the command */
#define SANDBOX_STOPPED 's'

/* How uids and gids of the new user namespace come to be. */
enum sandbox_map {
	MAP_NONE = 'n', /* no user namespace: a privileged caller without */
	MAP_FULL = 'f', /* outside has written everything that it has itself */
	MAP_SELF = 's', /* init writes the caller's own uid and gid, nothing else */
};

struct sandbox_report {
	bool ok;
	struct tun_features features;
	char text[SANDBOX_TEXT_MAX]; /* what failed, if not ok */
};

/* The caller as he is outside; inside, before the map is written, he reads as nobody. */
struct sandbox_caller {
	uid_t uid;
	gid_t gid;
};

/* The process that is PID 1 inside: sets everything up, starts the command,
 * reaps. All signals are blocked when it is called. */
void sandbox_init_main(const struct sandbox_options *, const struct sandbox_caller *, int control)
	__attribute__((noreturn));

/* Steps of init: 0 or -errno with a sentence. */
int sandbox_open_network(const struct sandbox_options *, struct tun_features *, int *tun_fd, char *text, size_t size);
int sandbox_set_mounts(const struct sandbox_options *, char *text, size_t size);

/* The sentence for a clone() that failed with err, or for a step that was
 * denied inside a namespace: what is closed, why, and the command that opens it. */
void sandbox_explain_clone(int err, char *text, size_t size);
void sandbox_explain_denied(int err, const char *step, char *text, size_t size);

#endif
