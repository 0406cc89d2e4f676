/*
 * Proxies on the way to a server ("outbound_proxy"): from URLs to the hops that
 * the engine chains. socks5://[USER:PASSWORD@]HOST[:PORT], http://..., and ss://
 * with the parts of a server. The first hop is the one that this machine
 * connects to. Messages show no part before the @.
 */
#ifndef GATUN_CONF_HOP_H
#define GATUN_CONF_HOP_H

#include <stdbool.h>

#include "conf/config.h"
#include "conf/spec.h"

/* At the end of the spec's list; dies without memory. */
void hop_add(struct server_spec *, const char *url, conf_place at);
/* All hops of `from` to a spec that says nothing of its own. */
void hop_inherit(struct server_spec *to, const struct server_spec *from);
/* The hops of the top level, which hold for servers that come from the network
 * later, too; dies without memory. */
void hop_keep(struct config *, const struct server_spec *top);
/* Wipes and frees them. */
void hop_list_free(struct server_spec *);

/* Makes out->hops of the spec's. False if it adds an error; what *out then
 * holds is freed with it all the same. */
bool hop_check(const struct server_spec *, struct config *, struct config_server *out, struct problems *);

/* "http://HOST[:PORT][/PATH]": where a probe goes and what it asks for there.
 * *path points into url ("/" if there is none). 0 or -EINVAL. */
int hop_read_probe(const char *url, struct target *host, const char **path);

/* "socks5", "http", "ss". */
const char *hop_kind_name(enum hop_kind);

#endif
