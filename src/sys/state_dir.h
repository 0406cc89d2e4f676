/* Where a service's state is, and where systemd wants it to be. */
#ifndef GATUN_SYS_STATE_DIR_H
#define GATUN_SYS_STATE_DIR_H

#include <stdbool.h>
#include <stddef.h>

/* Of control sockets and of what a gate has to remember; root's, or the service's own user's. */
#define SYS_RUN_DIR "/run/gatun"
/* Is it there, and this process's user's? */
bool sys_run_dir_is_ours(void);

/* The first directory of $STATE_DIRECTORY, which names several with colons between. False: none. */
bool sys_state_dir(char *out, size_t size);

#endif
