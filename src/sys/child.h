/*
 * A helper program of ours: started without a shell, with the environment that
 * the caller makes and nothing else of ours (no descriptor, no capability but
 * the one it is granted, no signal mask), in a process group of its own, killed
 * by the kernel when this process dies. Its standard output and error come back
 * through one pipe; its end through a pidfd, so that nobody needs SIGCHLD.
 */
#ifndef GATUN_SYS_CHILD_H
#define GATUN_SYS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct sys_child_options {
	const char *path;  /* from sys_child_find */
	char *const *argv; /* NULL-terminated */
	char *const *env;  /* NULL-terminated: all that it gets */
	bool bind_low;	   /* it keeps CAP_NET_BIND_SERVICE if we have it */
};

struct sys_child {
	pid_t pid;
	int pidfd;  /* readable when it has ended; close-on-exec */
	int output; /* the pipe's end, non-blocking, close-on-exec */
};

/* Where the program is: `name` itself if it has a slash, else in the absolute
 * directories of $PATH (the working directory is never searched). 0, -ENOENT,
 * or -EACCES where it is but cannot be executed; -ENAMETOOLONG. */
int sys_child_find(const char *name, char *path, size_t size);

/* 0 once it runs, or -errno of what failed (exec's own included). */
int sys_child_start(const struct sys_child_options *, struct sys_child *);

/* Takes its status if it has ended: true. Then its descriptors are closed. */
bool sys_child_reap(struct sys_child *, int *status);

/* Sends `sig` to its process group. */
void sys_child_signal(const struct sys_child *, int sig);

/* Waits, blocking, until it has ended or `ms` have passed. */
void sys_child_wait(const struct sys_child *, int ms);

#endif
