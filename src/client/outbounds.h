/* The way that a client's flows leave by, and what of the configured servers
 * the rest of the engine must know: how much they add, what they carry. */
#ifndef GATUN_CLIENT_OUTBOUNDS_H
#define GATUN_CLIENT_OUTBOUNDS_H

#include "conf/config.h"
#include "outbound/outbound.h"
#include "outbound/pool.h"

/* The way through config->servers, and those that come from the network (online.h;
 * for that the config is borrowed until the next one or the end): a pool, of one or several, which is the part
 * "servers" of the status: tag, address, state, rtt_ms, failures, score, up, down
 * of each, and those of UDP. After engine_start(). NULL: out of memory. */
struct outbound *outbounds_new(const struct config *);
void outbounds_free(struct outbound *);
/* Other servers in place of those it has, in two steps; flows that stand stay, and what is
 * known of a server that is still there is kept. What may fail: NULL: out of memory.
 * pool_withdraw() takes it back. */
struct pool_change *outbounds_prepare(const struct config *);
void outbounds_apply(struct outbound *pool, struct pool_change *, const struct config *);
/* Both steps, of a config that does not outlive the call: for online.c. 0, or -ENOMEM and nothing has changed. */
int outbounds_set_servers(struct outbound *pool, const struct config *);
/* Can any of the servers carry this? */
bool outbounds_carries(const struct config *, enum config_mode);
/* The method whose needs an association table must meet: a 2022 one, if there is any. */
const struct ss_method *outbounds_method(const struct config *);
/* Bytes that a UDP datagram grows by on its way through a server and its hops, and at most of all. */
unsigned outbounds_udp_overhead_of(const struct config_server *);
unsigned outbounds_udp_overhead(const struct config *);
/* The largest UDP payload that every server carries, whatever the target. */
unsigned outbounds_udp_payload(const struct config *);
/* Where packets for this server go: to it, or to the first hop. */
const struct target *outbounds_first(const struct config_server *);

#endif
