/*
 * The control socket of a running instance: one request, a line of JSON, and
 * one answer, a document of JSON in a line; then it is closed. A GET of /metrics
 * is answered as HTTP, for programs that collect metrics.
 *
 * Who may ask: processes of the same user, and root's, in the same PID namespace
 * (sys/peer.h). What may be asked is the engine's (engine/status.h).
 */
#ifndef GATUN_CTL_CONTROL_H
#define GATUN_CTL_CONTROL_H

#include "conf/config.h"

/* Every engine that this process runs gets a control socket, as its config says. */
void ctl_enable(void);

/* What ctl_enable() has the engine call; a supervisor calls them itself.
 * 0, or -errno with the reason logged. Without a path in the config a socket that
 * cannot be made is no error. */
int ctl_open(const struct config *);
void ctl_close(void); /* idempotent */

/* Bytes of a request's line at most. */
#define CTL_LINE_MAX (16u * 1024)
/* Connections at a time; the oldest makes room for one more. */
#define CTL_CLIENTS_MAX 16
/* How long one may take. */
#define CTL_LIMIT_MS 5000

#endif
