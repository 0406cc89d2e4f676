/*
 * Following the network.
 *
 *	an address is gone      connections from it end, their flows with a reset
 *	addresses, default      the network has another number (io/network.h): ways of UDP
 *	route, link, wake       look at their source when next used, names are asked for again
 *	default route, wake,    what DNS said is forgotten: another network may say something
 *	an address gone         else, and what was asked by the old way will not be answered
 *
 * All else is left alone: a connection whose source is still there may well find its way,
 * and who cuts it for nothing is worse than one that takes a minute to notice. For that
 * minute, connections that hear nothing any more are looked for now and then, and with them
 * those whose packets may be too long for their path (io/connected.h).
 *
 * It does not know what the gate or a TUN does about it: they listen.
 */
#include "engine/network.h"

#include "base/err.h"
#include "base/log.h"
#include "io/connected.h"
#include "io/network.h"
#include "io/path.h"
#include "loop/loop.h"
#include "resolve/resolve.h"

#define DEAF_MS 120000 /* sent, and nothing heard */
#define LOOK_MS 3000	/* a server gives up a connection whose first packet it does not see after 10 s */
#define SELDOM_MS 10000

static struct netwatch *watch;
static struct loop_timer look;
static void (*listener)(void *owner, const struct netwatch_change *);
static void *listener_owner;
static uint64_t asked_ms;

static void on_look(struct loop_timer *t)
{
	size_t n = connected_drop_lost(DEAF_MS);

	if (n)
		log_info("connections that nothing was heard of for two minutes, or whose packets are too long for their path, were "
			 "ended count=%zu",
			 n);
	/* A path that the kernel has learnt is told by nobody. */
	if (loop_now() - asked_ms >= SELDOM_MS) {
		asked_ms = loop_now();
		connected_keep_alive();
		if (listener)
			listener(listener_owner, &(struct netwatch_change){ 0 });
	}
	loop_timer_start(t, LOOK_MS, on_look);
}

/* Another limit of a path: not from inside what found it. */
static void look_now(void)
{
	asked_ms = 0;
	loop_timer_start(&look, 0, on_look);
}

static void drop_sources(const struct netwatch_change *c)
{
	size_t n = connected_drop_sources(c->gone, c->n_gone);
	char text[ADDR_STRLEN];

	if (n)
		log_info("an address is gone, and with it connections from there address=%s count=%zu",
			 addr_format(&c->gone[0], text), n);
}

static void on_changed(void *owner, const struct netwatch_change *c)
{
	(void)owner;
	if (c->what & (NETWATCH_LINK | NETWATCH_ADDR | NETWATCH_ADDR_GONE | NETWATCH_DEFAULT | NETWATCH_WAKE)) {
		network_number++;
		path_tell(NULL);
	}
	if (c->n_gone || (c->what & (NETWATCH_DEFAULT | NETWATCH_WAKE))) {
		log_debug("the network has changed what=%#x", c->what);
		resolve_network_changed();
	}
	drop_sources(c);
	if (listener)
		listener(listener_owner, c);
}

void network_begin(void)
{
	int err;

	watch = netwatch_open(on_changed, NULL, &err);
	if (!watch)
		log_warn("changes of the network are not followed: the kernel does not tell err=%s", err_name(err));
	loop_timer_start(&look, LOOK_MS, on_look);
	path_on_change(look_now);
}

void network_end(void)
{
	path_on_change(NULL);
	path_forget_all();
	network_set_listener(NULL, NULL);
	loop_timer_stop(&look);
	netwatch_close(watch);
	watch = NULL;
}

void network_set_listener(void (*changed)(void *owner, const struct netwatch_change *), void *owner)
{
	listener = changed;
	listener_owner = owner;
}

bool network_is_ours(const struct addr *a)
{
	return watch && netwatch_is_ours(watch, a);
}
