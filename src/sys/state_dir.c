/* $STATE_DIRECTORY (systemd.exec(5), StateDirectory=); see state_dir.h. */
#include "sys/state_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool sys_run_dir_is_ours(void)
{
	struct stat st;

	return lstat(SYS_RUN_DIR, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

bool sys_state_dir(char *out, size_t size)
{
	const char *env = getenv("STATE_DIRECTORY");
	size_t len = env ? strcspn(env, ":") : 0;

	return len && (size_t)snprintf(out, size, "%.*s", (int)len, env) < size;
}
