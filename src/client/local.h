/* The inbounds of `gatun local`, and those beside the TUN of `gatun run`: opened from a
 * config and closed again. */
#ifndef GATUN_CLIENT_LOCAL_H
#define GATUN_CLIENT_LOCAL_H

#include <stdbool.h>

#include "conf/config.h"
#include "engine/reload.h"
#include "outbound/outbound.h"

struct local;
/* After engine_start(). config is borrowed for the local's life and has locals. servers:
 * the way through config's servers, borrowed, or NULL: it makes its own. NULL: the
 * reason is logged. */
struct local *local_open(const struct config *, struct outbound *servers);
void local_close(struct local *);
/* Becomes what another config says, and the way through the servers if it is its own; flows stay. As
 * struct reload_steps has it; the config is borrowed in place of the last. */
int local_prepare(void *local, const struct config *);
void local_apply(void *local, const struct config *);
void local_withdraw(void *local);
/* These, for reload_begin(). */
extern const struct reload_steps local_steps;
/* Does an inbound give fake addresses? Then the map is wanted. */
bool local_has_fake_dns(const struct config *);
/* For engine_set_upkeep(): closes inbounds that a config took away, once nobody is left who
 * came by them. */
void local_upkeep(void *local);

#endif
