/*
 * Being a service: `server`, `local` and `up` as whoever starts them wants it.
 * In the background (--detach), as another user (--user), with a word to systemd,
 * to --ready-fd and in --pid-file when everything is open, and again when it
 * ends. Workers know nothing of it: for them all of this does nothing.
 *
 *	service_begin ──► everything is opened ──► service_ready ──► service_stopping ──► service_end
 *
 * Who becomes another user does so at once, with the capabilities he has, so
 * that every file is that user's from its beginning; what is not needed for good
 * is dropped when all is open (engine_drop_privileges), as without.
 */
#ifndef GATUN_ENGINE_SERVICE_H
#define GATUN_ENGINE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/config.h"

/* gate: it is `up`. The config is borrowed until service_end(). True: go on. False: end with *exit_code; what
 * there was to say has been said. */
bool service_begin(const struct config *, bool gate, int *exit_code);
/* All ports are open, rights are about to be dropped: the last moment for what needs them.
 * 0, or -errno with the reason logged. */
int service_opened(void);
/* Everything stands: tells whoever waits. `what` is for `systemctl status`. Once; the loop runs. */
void service_ready(const char *what);
/* Around a reload; by what it was decided: nothing has changed. */
void service_reloading(void);
void service_reloaded(void);
/* It is ending; also without service_ready() before. The loop is still there. */
void service_stopping(void);
void service_end(void);

/*
 * `up`: plugins cannot mark their sockets, so they need a uid that the gate passes. A gate of root's
 * with plugins therefore runs as "plugin_user" or gatun-plugin, all of it. In *uid: whose
 * it is; 0: the config has no plugin. -ENOENT with a sentence: there is no such user.
 */
int service_plugin_uid(const struct config *, uint32_t *uid, char *err, size_t size);

#endif
