/*
 * Following, in the supervisor.
 *
 *	any change ── gate_follow(): prefixes on links, ways of excludes; rules and routes of
 *	                ours that somebody took away are put back
 *	           ── gate_check_way() for each server: does it come back to us?
 *	           ── the device's MTU
 *	an nft table is removed ── gate_follow(), if it is one of ours
 *	every 10 s ── the MTU: a path that was learnt by ICMP is told by nobody
 *
 * What gate_follow() itself changes is told like all changes, once more: then it finds
 * nothing to do, and that is the end of it.
 */
#include "roles/up_follow.h"

#include <errno.h>
#include <net/if.h>

#include "base/err.h"
#include "base/log.h"
#include "client/outbounds.h"
#include "client/tun_mtu.h"
#include "loop/loop.h"
#include "sys/netlink.h"
#include "sys/netwatch.h"
#include "sys/nftwatch.h"

#define LOOK_MS 10000

static struct {
	const struct gate_plan *plan;
	const struct config *config;
	struct netwatch *watch;
	struct nftwatch *tables;
	struct loop_timer look;
	int mtu;     /* the device's, as last set */
	bool looped; /* as last said */
	bool removed; /* the device, as last said */
} follow;

/* ---- the device ---- */

static int set_mtu(int mtu)
{
	struct netlink_link link = { .mtu = mtu };
	struct netlink n;
	int err = netlink_open(&n);

	if (err)
		return err;
	err = netlink_set_link(&n, (int)if_nametoindex(follow.plan->device), &link);
	netlink_close(&n);
	return err;
}

static void follow_mtu(void)
{
	int mtu, err;

	if (follow.plan->mode != GATE_TUN || follow.config->mtu)
		return;
	mtu = tun_mtu_of(follow.config, false);
	if (mtu == follow.mtu)
		return;
	err = set_mtu(mtu);
	if (err) {
		log_warn("the path takes packets of another size, and the device cannot follow device=%s mtu=%d err=%s",
			 follow.plan->device, mtu, err_name(err));
		return;
	}
	log_info("the path takes packets of another size, and the device follows device=%s mtu=%d was=%d", follow.plan->device, mtu,
		 follow.mtu);
	follow.mtu = mtu;
}

/* ---- the gate ---- */

static void follow_gate(void)
{
	char why[512];

	if (gate_follow(follow.plan, why, sizeof(why)) != 0)
		log_warn("the gate cannot follow the network: %s", why);
}

/* 0 where it is known by a name alone: its workers' resolver is not ours. */
static int check_server(const struct config_server *s, char *why, size_t size)
{
	const struct target *first = outbounds_first(s);

	return target_is_name(first) ? 0 : gate_check_way(follow.plan, &first->ip, why, size);
}

/* Without any way there is nothing to say: the network is away, and comes back. */
static void check_ways(void)
{
	bool looped = false;
	char why[512];

	for (int i = 0; i < follow.config->n_servers && !looped; i++)
		looped = check_server(&follow.config->servers[i], why, sizeof(why)) == -ELOOP;
	if (looped && !follow.looped)
		log_error("%s: nothing is carried until that is mended", why);
	else if (!looped && follow.looped)
		log_info("the way to the server is its own again");
	follow.looped = looped;
}

/* Nothing brings it back, and to end would open the machine: whoever looks must find why nothing goes. */
static void check_device(void)
{
	bool removed = follow.plan->mode == GATE_TUN && !if_nametoindex(follow.plan->device);

	if (removed && !follow.removed)
		log_error("somebody has removed the device %s: nothing is carried until gatun is started again (gatun down; gatun up)",
			  follow.plan->device);
	follow.removed = removed;
}

/* ---- when ---- */

static void on_changed(void *owner, const struct netwatch_change *c)
{
	(void)owner, (void)c;
	check_device();
	follow_gate();
	check_ways();
	follow_mtu();
}

/* Tables of whomever have gone; putting back our own removes none. */
static void on_removed(void *owner)
{
	(void)owner;
	if (gate_nft_is_gone(follow.plan))
		follow_gate();
}

static void on_look(struct loop_timer *t)
{
	follow_mtu();
	on_removed(NULL);
	loop_timer_start(t, LOOK_MS, on_look);
}

void up_follow_begin(const struct gate_plan *plan, const struct config *config)
{
	int err;

	follow.plan = plan;
	follow.config = config;
	follow.mtu = plan->mtu;
	follow.looped = follow.removed = false;
	follow.watch = netwatch_open(on_changed, NULL, &err);
	if (!follow.watch)
		log_warn("changes of the network are not followed: the kernel does not tell err=%s", err_name(err));
	follow.tables = nftwatch_open(on_removed, NULL, &err);
	if (!follow.tables)
		log_warn("who removes nft tables is seen within ten seconds only: the kernel does not tell err=%s", err_name(err));
	loop_timer_start(&follow.look, LOOK_MS, on_look);
	check_ways();
}

void up_follow_change(const struct config *config)
{
	follow.config = config;
}

void up_follow_end(void)
{
	if (!follow.plan)
		return;
	loop_timer_stop(&follow.look);
	netwatch_close(follow.watch);
	nftwatch_close(follow.tables);
	follow.watch = NULL;
	follow.tables = NULL;
	follow.plan = NULL;
}
