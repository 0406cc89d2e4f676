/* The descriptors of a process that was forked without exec. */
#ifndef GATUN_SYS_FDS_H
#define GATUN_SYS_FDS_H

/* Closes all above 2 but these. keep is sorted in place. 0 or -errno. */
int sys_fds_close_but(int *keep, int n);

#endif
