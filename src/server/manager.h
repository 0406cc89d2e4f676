/*
 * The manager's socket: ss-manager's protocol on the outside, requests
 * (managed.h, by way of engine_request()) on the inside.
 */
#ifndef GATUN_SERVER_MANAGER_H
#define GATUN_SERVER_MANAGER_H

#include "conf/config.h"

/* Listens as the config says, if it does. 0 or -errno, logged. */
int manager_open(const struct config_manager *);
/* Closing what is not open is fine. */
void manager_close(void);
/* In a child of the process that opened it: it has none. */
void manager_forget(void);

#endif
