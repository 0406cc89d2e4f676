/* The inbounds of `gatun local`, opened from a config and closed again. */
#ifndef GATUN_ENGINE_LOCAL_H
#define GATUN_ENGINE_LOCAL_H

#include "conf/config.h"

struct local;
/* After engine_start(). config is borrowed for the local's life and has locals.
 * NULL: the reason is logged. */
struct local *local_open(const struct config *);
void local_close(struct local *);

#endif
