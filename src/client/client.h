/* Everything between where flows come from and the tunnel's server, as one object. */
#ifndef GATUN_CLIENT_CLIENT_H
#define GATUN_CLIENT_CLIENT_H

#include <stdbool.h>

#include "client/near.h"
#include "conf/config.h"
#include "engine/reload.h"

struct client;
/* After engine_start(): its near end, and the config's inbounds (client/local.h). config is
 * borrowed for the client's life. NULL: *err is -errno; of inbounds, and with -ECANCELED, all has been said. */
struct client *client_open(const struct config *, const struct near_options *, int *err);
void client_close(struct client *);
/* Another config in place of the last, which flows survive, as struct reload_steps has it. */
int client_prepare(void *client, const struct config *);
void client_apply(void *client, const struct config *);
void client_withdraw(void *client);
/* These, for reload_begin(). */
extern const struct reload_steps client_steps;
/* Whoever used the device is gone for good. True while what they said last is
 * on its way to the server; ask until it is false, or patience ends. */
bool client_has_last_words(struct client *);

#endif
