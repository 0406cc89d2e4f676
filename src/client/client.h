/* Everything between where flows come from and the tunnel's server, as one object. */
#ifndef GATUN_CLIENT_CLIENT_H
#define GATUN_CLIENT_CLIENT_H

#include <stdbool.h>

#include "client/near.h"
#include "conf/config.h"

struct client;
/* After engine_start(): its near end, and the config's inbounds (client/local.h). config is
 * borrowed for the client's life. NULL: *err is -errno; of inbounds, and with -ECANCELED, all has been said. */
struct client *client_open(const struct config *, const struct near_options *, int *err);
void client_close(struct client *);
/* Another config in place of the last, which flows survive. 0 or -errno, logged: then nothing has changed. */
int client_update(struct client *, const struct config *);
/* Whoever used the device is gone for good. True while what they said last is
 * on its way to the server; ask until it is false, or patience ends. */
bool client_has_last_words(struct client *);

#endif
