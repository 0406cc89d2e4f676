/* Everything between a TUN and the tunnel's server, as one object. */
#ifndef GATUN_ENGINE_CLIENT_H
#define GATUN_ENGINE_CLIENT_H

#include <stdbool.h>

#include "conf/config.h"
#include "sys/tundev.h"

struct client;
/* After engine_start(). config is borrowed for the client's life; its mtu is
 * the device's. Takes tun_fd on success. NULL: *err is -errno. */
struct client *client_open(const struct config *, int tun_fd, struct tun_features, int *err);
void client_close(struct client *);
/* Its way through the config's servers. */
struct outbound *client_servers(const struct client *);
/* Another config, step 1: its ACL is read again. 0 or -errno, logged; or (also after 0)
 * client_withdraw(): nothing has changed. */
int client_prepare(struct client *);
void client_withdraw(struct client *);
/* Step 2, when the way has been changed too: borrowed in place of the last. Flows stay. */
void client_apply(struct client *, const struct config *);
/* Whoever used the device is gone for good. True while what they said last is
 * on its way to the server; ask until it is false, or patience ends. */
bool client_has_last_words(struct client *);

#endif
