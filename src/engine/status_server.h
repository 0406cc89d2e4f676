/* What the status tells of a server's endpoints. */
#ifndef GATUN_ENGINE_STATUS_SERVER_H
#define GATUN_ENGINE_STATUS_SERVER_H

#include "engine/endpoints.h"

/* Borrowed until engine_status_remove() or the engine's end. */
void engine_status_add_endpoints(struct endpoints *);

#endif
