/* Where systemd wants a service's state to be. */
#ifndef GATUN_SYS_STATE_DIR_H
#define GATUN_SYS_STATE_DIR_H

#include <stdbool.h>
#include <stddef.h>

/* The first directory of $STATE_DIRECTORY, which names several with colons between. False: none. */
bool sys_state_dir(char *out, size_t size);

#endif
