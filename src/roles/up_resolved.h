/*
 * systemd-resolved under `gatun up`: told that the TUN's link is the way for every
 * name. Its queries would be captured anyway; but it asks by the link that it believes in,
 * which may have no server, or be another VPN's for some domains.
 */
#ifndef GATUN_ROLES_UP_RESOLVED_H
#define GATUN_ROLES_UP_RESOLVED_H

#include "base/addr.h"

/* In the supervisor, on its loop, once the device is up: does nothing where resolved does not
 * run. `server`: what it is to ask, an address that leads into the TUN. Removal of the link
 * undoes it, without us. */
void up_resolved_begin(const char *device, const struct addr *server);
/* What is under way is given up. */
void up_resolved_end(void);

#endif
