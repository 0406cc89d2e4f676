/* What both engines (server and client) set up and take down alike. */
#ifndef GATUN_ENGINE_COMMON_H
#define GATUN_ENGINE_COMMON_H

#include "conf/config.h"
#include "crypto/method.h"
#include "flow/assoc.h"
#include "flow/relay.h"

/* Loop, resolver, relay, descriptor limit, pool upkeep. 0 or -errno, the
 * reason logged. */
int engine_start(const struct config *);
void engine_end(void);
/* Another config, in two steps as struct reload_steps has it (engine/reload.h calls them, around the engine's own): what
 * all engines have. In a process without engine_start() they do nothing. */
int engine_prepare(const struct config *);
void engine_apply(const struct config *);
void engine_withdraw(void);
/* What an engine has to forget now and then: called with the pools' trim. */
void engine_set_upkeep(void (*run)(void *owner), void *owner);
/* Runs deferred work that ends left behind, without waiting for events. */
void engine_drain(void);
/* All is open: tells the hooks (engine.h), then gives up every capability that
 * later sockets do not need. Fails, the reason logged, where a mark, device or
 * source address that is wanted cannot be set: traffic never leaves by another way. */
int engine_drop_privileges(const struct config *);
/* Has it plugins, or may it get some from the network? */
bool engine_has_plugins(const struct config *);
/* Before that: a plugin of ours listens on a port below 1024, also when it is
 * started again. */
void engine_keep_low_ports(void);
/* Nor what answers in the name of others need (inbound/tproxy_udp.h). */
void engine_keep_answers(void);
/* Nor what the owner of a gate needs (gate/gate.h). */
void engine_keep_gate(void);
/* A child keeps none of it unless it says so itself. */
void engine_forget_rights(void);
/* Waits until the plugins are ready; turns the loop. 0, or -errno with the
 * reason logged. */
int engine_await_plugins(void);
/* Turns until loop_stop(), then tells the hooks: nobody asks for the status of
 * what is being taken down. */
void engine_loop(void);
/* SIGINT and SIGTERM stop the loop; SIGPIPE is ignored. */
void engine_stop_on_signals(void);
/* The times of TCP flows, as this config has them. */
struct relay_limits engine_relay_limits(const struct config *);
struct limits_rates engine_limits_rates(const struct config_limits *);
/* method: NULL where associations are not sessions of one. */
struct assoc_limits engine_assoc_limits(const struct config *, const struct ss_method *);
/* One line of the flow counters at info level; last, when all has been closed and counted. */
void engine_log_summary(void);

#endif
