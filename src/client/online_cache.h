/* The last good answer of an online config, on disk: mode 0600, replaced as a
 * whole or not at all. */
#ifndef GATUN_CLIENT_ONLINE_CACHE_H
#define GATUN_CLIENT_ONLINE_CACHE_H

#include <stddef.h>
#include <sys/types.h>

#include "conf/config.h"

/* Where it is: what the config says, or a file named by the URL's hash in the state
 * directory ("state_dir", $STATE_DIRECTORY, /var/lib/gatun for root, else
 * $XDG_STATE_HOME/gatun or ~/.local/state/gatun). 0 or -errno. */
int online_cache_path(const struct config *, char *path, size_t size);
/* *text is the caller's, to be wiped and freed. The length or -errno; *age_s is how old it is. */
ssize_t online_cache_read(const char *path, char **text, long *age_s);
/* 0 or -errno; the directory is made if it is not there. */
int online_cache_write(const char *path, const char *text, size_t len);

#endif
