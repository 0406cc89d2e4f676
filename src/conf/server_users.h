/* The users of a server as written (struct user_spec), checked into users as used. */
#ifndef GATUN_CONF_SERVER_USERS_H
#define GATUN_CONF_SERVER_USERS_H

#include <stdbool.h>

#include "conf/spec.h"

/* Fills out->users from s->users; out->method is known. False if it adds an error. */
bool server_users_check(const struct server_spec *s, struct config *, struct config_server *out, struct problems *);

#endif
