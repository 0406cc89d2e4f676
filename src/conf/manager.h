/* Where a server takes orders, checked; and what the ports that it is told to open
 * have in common. */
#ifndef GATUN_CONF_MANAGER_H
#define GATUN_CONF_MANAGER_H

#include "conf/config.h"
#include "conf/problem.h"
#include "conf/spec.h"

/* A server without a port beside a manager is no server: it says the address, method and mode of
 * ports to come. Takes all of them out of the list. */
void manager_take_defaults(struct spec_list *, struct config *, struct problems *);
/* Checks config->manager; after the servers, whose first one lends what is not said. */
void manager_check(struct config *, struct problems *);

#endif
