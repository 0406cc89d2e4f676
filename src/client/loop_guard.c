/* Between the sockets of all workers (io/own_sockets.h) and the flows that come to one of them. */
#include "client/loop_guard.h"

#include <sys/socket.h>

#include "base/log.h"
#include "engine/network.h"
#include "engine/worker.h"
#include "io/own_sockets.h"

void loop_guard_begin(void)
{
	if (worker_shared())
		own_sockets_join(worker_shared()->sockets, worker_index());
}

static void say(const struct addr *client)
{
	char text[ADDR_STRLEN];

	log_warn("a connection of gatun's own came back to it and was refused: something takes the mark from its packets, or the "
		 "policy rules that obey it (see `ip rule` and `nft list ruleset`) from=%s",
		 addr_format(client, text));
}

bool loop_guard_is_own(const struct addr *client, const struct target *t)
{
	if (target_is_name(t) || !own_sockets_know(SOCK_STREAM, client, &t->ip))
		return false;
	say(client);
	return true;
}

enum flow_end loop_guard_admit(void *owner, const struct assoc_key *key, struct limits_flow **limit)
{
	(void)owner;
	*limit = NULL;
	if (!network_is_ours(&key->addr) || !own_sockets_know(SOCK_DGRAM, &key->addr, NULL))
		return END_DONE;
	say(&key->addr);
	return END_LOOP;
}
