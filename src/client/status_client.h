/* What the status tells of a client: its TUN, its inbounds. */
#ifndef GATUN_CLIENT_STATUS_CLIENT_H
#define GATUN_CLIENT_STATUS_CLIENT_H

#include "conf/config.h"
#include "inbound/tun.h"

/* Both borrowed until engine_status_remove() or the engine's end. */
void client_status_add_tun(struct tun *);
/* Where the config stands: a reload may put another there. */
void client_status_add_locals(const struct config **);

#endif
