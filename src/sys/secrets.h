/* Keeps keys and passwords of this process out of core dumps and debuggers. */
#ifndef GATUN_SYS_SECRETS_H
#define GATUN_SYS_SECRETS_H

/*
 * From here on this process leaves no core dump and other processes of the
 * same user can neither trace it nor read its memory. Only the soft limit of
 * RLIMIT_CORE changes, so that sys_inherit_restore() can give the command of
 * `run` back what the user had. exec undoes the rest by itself.
 * Returns 0 or -errno.
 */
int sys_secrets_protect(void);

#endif
