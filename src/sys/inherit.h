/*
 * What gatun got from its caller and the command of `run` is to get in turn,
 * as if gatun were not there: open descriptors, signal mask, ignored signals,
 * resource limits, the terminal's foreground group. Taken at the very start,
 * before gatun opens, blocks or raises anything of its own.
 */
#ifndef GATUN_SYS_INHERIT_H
#define GATUN_SYS_INHERIT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

struct inherit {
	int *fds; /* above 2 and not close-on-exec */
	size_t n_fds;
	sigset_t mask, ignored;
	struct rlimit core, nofile;
	bool foreground; /* our process group owned the terminal */
};

/*
 * Also opens /dev/null in place of a missing stdin, stdout or stderr, so that
 * nothing of gatun's lands there by chance; the command finds them closed.
 * 0 or -errno.
 */
int sys_inherit_take(struct inherit *);
void sys_inherit_free(struct inherit *);

/* In the process that will exec the command: mask, dispositions and limits. */
void sys_inherit_restore(const struct inherit *);

/*
 * Closes those that lead past the sandbox's network, and takes them off the
 * list: sockets of every family but AF_UNIX, TUN devices, io_uring instances. Writes "3 (IPv4 TCP), 7
 * (packet)" to text, cut at its size. Returns how many were closed.
 */
int sys_inherit_close_network(struct inherit *, char *text, size_t size);

/* Closes all of them here, and turns stdin and stdout to /dev/null, so that a
 * pipe of the command's ends when the command lets go of it. */
void sys_inherit_let_go(const struct inherit *);

#endif
