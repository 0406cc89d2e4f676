/* What a client's config says of its streams to a server: UDP in TCP, and true
 * connect results. */
#ifndef GATUN_CONF_OVER_TCP_H
#define GATUN_CONF_OVER_TCP_H

#include <jansson.h>

#include "conf/assign.h"

/* sing-box's object form of udp_over_tcp: {"enabled": true, "version": 2}. */
bool over_tcp_read_object(const struct assignment *, const struct option_row *, const json_t *object, conf_place at);
/* Is UDP to travel in TCP, ever? */
bool over_tcp_wanted(const struct server_spec *, const struct config *);
/* Into *out, from the server or else from the config; a mode that lets one of
 * them mean nothing is said. For a client; a server takes both as they come.
 * False if it adds an error. */
bool over_tcp_check(const struct server_spec *, const struct config *, struct config_server *out, struct problems *p);
/* For a server: says that they mean nothing there. */
void over_tcp_check_server(const struct server_spec *, const struct config *, struct problems *p);

#endif
