/*
 * The choice between file and memory. A directory that the config names must be
 * usable, or the server does not start: whoever wrote it relies on it. One that
 * systemd names is taken if it can be, and missed aloud if not.
 */
#include "server/salts.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "engine/worker.h"
#include "sys/state_dir.h"

#define PATH_SHOWN 256

static struct salt_table *in_file(const char *directory, int *err)
{
	bool damaged;
	struct salt_table *t = salt_table_open(directory, &damaged, err);
	char shown[PATH_SHOWN];

	log_escape(directory, strlen(directory), shown, sizeof(shown));
	if (t && damaged)
		log_warn("%s/%s was no file of ours any more, and is begun anew: the salts of old connections are forgotten", shown,
			 SALT_TABLE_FILE);
	if (!t)
		log_error("cannot remember salts in %s err=%s", shown, err_name(*err));
	return t;
}

static struct salt_table *in_memory(void)
{
	struct salt_table *t = worker_is() ? worker_shared()->old_salts : salt_table_new(false);

	if (!t)
		log_error("out of memory");
	return t;
}

struct salt_table *server_salts_open(const char *state_dir)
{
	char directory[4096];
	struct salt_table *t = NULL;
	int err;

	if (state_dir)
		return in_file(state_dir, &err);
	if (sys_state_dir(directory, sizeof(directory)))
		t = in_file(directory, &err);
	return t ? t : in_memory();
}

void server_salts_close(struct salt_table *t)
{
	if (!worker_is() || t != worker_shared()->old_salts)
		salt_table_free(t);
}
