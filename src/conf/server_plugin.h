/* A server's plugin (SIP003): from what was written to struct config_plugin. */
#ifndef GATUN_CONF_SERVER_PLUGIN_H
#define GATUN_CONF_SERVER_PLUGIN_H

#include "conf/spec.h"

/* Fills out->plugin; out->mode and its hops are known already. False if it adds an error. */
bool server_plugin_check(const struct server_spec *, struct config *, struct config_server *out, struct problems *);

#endif
