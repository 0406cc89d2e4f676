/*
 * Control sockets in the file system: one for each running instance, where
 * `gatun status` finds it.
 *
 * A socket appears whole (listening, mode 0600) or not at all: it is made under
 * a name that nobody looks at and renamed. What a killed instance left behind is
 * known by nobody listening, and removed by whoever comes across it.
 */
#ifndef GATUN_CTL_SOCKET_H
#define GATUN_CTL_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CTL_PATH_MAX 108 /* of sockaddr_un, the NUL included */

struct ctl_socket {
	int fd;
	char path[CTL_PATH_MAX];
	dev_t dev; /* of the file, so that another's is never removed */
	ino_t ino;
	bool in_tmp; /* in a directory of ours under /tmp, which goes with its last socket */
};

/*
 * Listens at `path`, or with NULL under this process's number in the first
 * directory that can be used: /run/gatun (root, and whose it is), $XDG_RUNTIME_DIR/gatun,
 * /run/user/UID/gatun, /tmp/gatun-UID. 0 or -errno; -EADDRINUSE: another instance
 * listens at `path`, or something that is no socket stands there; -ENAMETOOLONG.
 */
int ctl_socket_open(struct ctl_socket *, const char *path);
/* Removes and closes it. */
void ctl_socket_close(struct ctl_socket *);
/* A connection to a listening one: the descriptor or -errno (-ECONNREFUSED: stale). */
int ctl_socket_connect(const char *path);

/* Calls `found` with the path of each living socket of this user, in the order of the
 * instances' numbers; removes the stale ones. Returns how many were found. */
int ctl_socket_find(void (*found)(void *owner, const char *path), void *owner);

#endif
