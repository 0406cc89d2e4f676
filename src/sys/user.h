/* Becoming another user, for good, without losing what capabilities there are. */
#ifndef GATUN_SYS_USER_H
#define GATUN_SYS_USER_H

#include <sys/types.h>

#define SYS_USER_NAME_MAX 64

struct sys_user {
	char name[SYS_USER_NAME_MAX], home[256];
	uid_t uid;
	gid_t gid;
};

/* By name or number. 0; -ENOENT: there is no such user. Blocks. */
int sys_user_find(const char *name, struct sys_user *);

/*
 * This process's user, group and supplementary groups become theirs, and $HOME,
 * $USER and $LOGNAME say so. Permitted and effective capabilities stay (sys/caps.h
 * drops them when all is open), and so do the promise to die with the parent and
 * the protection of memory. Nothing to do for who is that user. 0 or -errno:
 * -EPERM without CAP_SETUID and CAP_SETGID.
 */
int sys_user_become(const struct sys_user *);

#endif
