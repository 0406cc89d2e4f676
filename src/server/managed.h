/*
 * Ports that are opened and closed by order while the server runs, as requests
 * (status.h), free of sockets:
 *
 *	{"request": "manager_add", "port": {"server_port": N, "password": ..., ...}, "trusted": true|false}
 *	{"request": "manager_remove", "server_port": N}
 *	{"request": "manager_ports"}	-> {"ports": [{"port": N, "method": ..., "bytes": N}, ...]}
 *
 * trusted: who asks could run programs as this user anyway, so he may name a plugin.
 */
#ifndef GATUN_SERVER_MANAGED_H
#define GATUN_SERVER_MANAGED_H

#include "conf/config.h"
#include "server/endpoints.h"

/* What manager_add says where a port cannot be had, in the protocol's own words. */
#define MANAGED_TAKEN "port is not available"

/* Answers from now on. What ports have in common the config says, borrowed: its manager, "acl"
 * and "limits". */
void managed_begin(struct endpoints *, const struct config *);
/* Another config: for ports from now on. */
void managed_change(const struct config *);

#endif
