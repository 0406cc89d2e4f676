/*
 * Servers from the network (SIP008, the key "online_config"): fetched before the
 * engine starts and then at an interval, checked like a file's, applied to the
 * pool, kept on disk. An answer that cannot be had or used changes nothing.
 */
#ifndef GATUN_CLIENT_ONLINE_H
#define GATUN_CLIENT_ONLINE_H

#include "conf/config.h"
#include "outbound/outbound.h"

/* Before the engine: adds the servers of the first answer, or else of the cache, to
 * the config. Turns a loop of its own. 0, or -errno with the reason logged: there is
 * no server at all. Nothing to do without "online_config". */
int online_load(struct config *);
/* A config that was read again gets the servers of the last good answer. */
void online_merge(struct config *);

/* The engine runs: looks again at the interval, and keeps `pool` up to date, whose
 * other servers are the config's. The config is borrowed until the next call (a
 * reload) or online_end(). */
void online_begin(const struct config *, struct outbound *pool);
void online_end(void);

#endif
