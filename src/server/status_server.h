/* What the status tells of a server's endpoints. */
#ifndef GATUN_SERVER_STATUS_SERVER_H
#define GATUN_SERVER_STATUS_SERVER_H

#include "server/endpoints.h"

/* Borrowed until engine_status_remove() or the engine's end. */
void server_status_add_endpoints(struct endpoints *);

#endif
