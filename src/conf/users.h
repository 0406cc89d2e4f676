/*
 * The users of a local inbound, from shadowsocks-rust's files:
 *   { "password": { "users": [ { "user_name": "u", "password": "p" } ] } }   SOCKS5
 *   { "basic": { "users": [ ... ] } }                                       HTTP
 */
#ifndef GATUN_CONF_USERS_H
#define GATUN_CONF_USERS_H

#include <stdbool.h>

#include "conf/config.h"
#include "conf/spec.h"

/* Reads the users of `section` of the file at `path`. False if it adds an error. */
bool users_read(const struct spec_text *path, const char *section, struct config *, struct config_users *out, struct problems *);

#endif
