/*
 * A file with our number in it, for those who want to send us signals. It
 * appears whole or not at all, replaces what was left by one that is no more,
 * follows no symbolic link, and goes when we end.
 */
#ifndef GATUN_SYS_PID_FILE_H
#define GATUN_SYS_PID_FILE_H

#include <stdbool.h>
#include <sys/types.h>

struct pid_file {
	int dir, fd; /* -1: none */
	char *name;  /* within dir */
};

/* Who is named there, and lives, and is a program of our name; 0: nobody. */
pid_t sys_pid_file_owner(const char *path);
/* Writes this process's number; the file is root's if we may say so. 0 or -errno. */
int sys_pid_file_write(struct pid_file *, const char *path);
/* Takes the file away if it is still ours; where the directory forbids it, it is left empty. */
void sys_pid_file_remove(struct pid_file *);

#endif
