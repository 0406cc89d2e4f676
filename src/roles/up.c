/*
 * `up`: this machine, or a LAN behind it.
 *
 *	supervisor ── holds: the gate (gate/), the TUN's queues or the listening sockets
 *	  ├── worker 0 ── a client (client.h) on queue 0, or on shared ports
 *	  └── worker N ── ...
 *
 * Always a supervisor, also over one worker: what keeps traffic in must not hang
 * on the process that reads what others send.
 *
 *	begin	looks whether it would work, opens the device: nothing is captured yet
 *		workers open everything of theirs, and are ready
 *	ready	the gate is built: from here on nothing finds another way
 *	end	workers are gone, and have reset what they carried; the gate is taken
 *		down, but for what keeps traffic in where the kill switch is on
 *
 * Invariants:
 * - Nobody is captured before somebody is there to carry him.
 * - A worker's death changes nothing of the gate: its queue stays open here, and
 *   what comes meanwhile waits for its next life.
 * - The supervisor's death in whatever way leaves rules that lead nowhere: the
 *   device goes with its last descriptor, and the unreachable default stands
 *   behind it.
 * - The supervisor keeps CAP_NET_ADMIN and CAP_NET_RAW, a worker CAP_NET_RAW
 *   (marks; and for TPROXY's answers what near_ports.c asks for).
 *
 * It does not know what a rule or a route is (gate/), nor what becomes of a flow.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "client/client.h"
#include "client/tun_mtu.h"
#include "conf/up.h"
#include "engine/common.h"
#include "engine/fake_names.h"
#include "engine/worker.h"
#include "inbound/icmp.h"
#include "inbound/tun_owners.h"
#include "roles/life.h"
#include "roles/roles.h"
#include "roles/up_follow.h"
#include "roles/up_impl.h"
#include "roles/up_resolved.h"
#include "roles/up_status.h"
#include "supervisor/workers.h"
#include "sys/steering.h"

static struct {
	const struct config *config; /* of now */
	struct up_plan plan, fresh; /* fresh: of a reload under way */
	struct near_options near; /* of every worker, but for its queue */
	int queues[TUNDEV_QUEUES_MAX];
	int n_queues;
	int n_workers;
	bool stands;	 /* the gate */
} up;

/* ---- the device ---- */

static void close_queues(int n)
{
	for (int i = 0; i < n; i++)
		close(up.queues[i]);
}

static int open_queues(int n)
{
	char why[512];
	int err = tundev_open_queues(up.plan.gate.device, up.plan.gate.mtu, n, up.queues, &up.near.features, why, sizeof(why));

	if (err)
		log_error("%s", why);
	else
		up.n_queues = n;
	return err;
}

/* Where flows cannot be told to queues, one worker has the only one. */
static int steer(int *n)
{
	char why[512];

	if (*n == 1 || steering_attach(up.queues[0], why, sizeof(why)) == 0)
		return 0;
	log_warn("one worker instead of %d: %s", *n, why);
	close_queues(up.n_queues);
	up.n_queues = 0;
	*n = 1;
	return open_queues(1);
}

static int open_device(const struct config *config, int *n)
{
	int err;

	if (*n > TUNDEV_QUEUES_MAX)
		*n = TUNDEV_QUEUES_MAX;
	up.near.kind = NEAR_TUN;
	up.near.mtu = up.plan.gate.mtu = tun_mtu_of(config, false);
	up.near.follow = true;
	memcpy(up.near.device, up.plan.gate.device, sizeof(up.near.device));
	err = open_queues(*n);
	if (!err)
		err = steer(n);
	if (err || *n == 1)
		return err;
	up.near.owners = tun_owners_new(*n);
	if (up.near.owners)
		return 0;
	log_error("out of memory, or of descriptors");
	return -ENOMEM;
}

/* ---- the supervisor ---- */

static struct workers_hooks hooks;

static int check(void)
{
	char why[512];
	int err = gate_check(&up.plan.gate, why, sizeof(why));

	if (err)
		log_error("%s", why);
	return err;
}

/* Who is in the way is said before anything is opened that he has open. */
static int begin(const struct config *config, int *n)
{
	int err = up_plan_make(&up.plan, config);

	up.config = config;
	if (!err)
		err = check();
	if (!err)
		err = fake_names_open(config, true);
	if (err)
		return err;
	up_plan_add_fakes(&up.plan, config);
	err = up_plan_keep_fakes(&up.plan, config);
	if (err)
		return err;
	if (up.plan.gate.mode == GATE_TUN)
		err = open_device(config, n);
	else
		err = up_ports_choose(&up.plan.gate, &up.near);
	up.n_workers = *n;
	hooks.fds_max = 1 + TUN_OWNERS_FDS(*n);
	return err;
}

static int descriptors(int index, int *fds)
{
	int n = 0;

	if (up.near.kind != NEAR_TUN)
		return 0;
	fds[n++] = up.queues[index];
	if (up.near.owners)
		n += tun_owners_fds(up.near.owners, index, fds + n);
	return n;
}

static void tell_resolved(void)
{
	const struct gate_plan *g = &up.plan.gate;
	uint8_t len;
	struct addr server = fakeip_net4(fake_names_map(), &len);

	if (g->mode == GATE_TUN && g->dns)
		up_resolved_begin(g->device, &server);
}

static int ready(void)
{
	char why[512];
	int err = gate_up(&up.plan.gate, why, sizeof(why));

	if (err) {
		log_error("%s", why);
		return err;
	}
	up.stands = true;
	up_follow_begin(&up.plan.gate, up.config);
	up_status_add_gate(&up.plan.gate);
	engine_keep_gate();
	tell_resolved();
	return 0;
}

static void say_it_stands(void)
{
	const struct gate_plan *g = &up.plan.gate;

	if (g->mode == GATE_REDIRECT)
		log_warn("mode redirect carries TCP and names: UDP is refused at once");
	log_info("everything is up mode=%s workers=%d%s%s mark=0x%x table=%u%s", up_mode_name((enum config_up_mode)g->mode), up.n_workers,
		 g->mode == GATE_TUN ? " device=" : "", g->device, g->mark, g->table, g->kill_switch ? " kill_switch=on" : "");
}

/* The last step that may fail: nothing of the gate is left half changed. */
static int prepare_gate(const struct config *fresh)
{
	char why[512];
	int err = up_plan_change(&up.fresh, &up.plan, fresh);

	if (err || up_plan_same(&up.plan, &up.fresh))
		return err;
	err = gate_change(&up.plan.gate, &up.fresh.gate, why, sizeof(why));
	if (!err)
		return 0;
	log_error("%s", why);
	up_plan_free(&up.fresh);
	return err;
}

/* In place: who follows the gate and who describes it look there. */
static void reloaded(const struct config *fresh)
{
	struct up_plan old = up.plan;

	if (!up_plan_same(&old, &up.fresh))
		log_info("the rules are those of the new config, without a gap");
	up.plan = up.fresh;
	up.fresh = (struct up_plan){ 0 };
	up_plan_free(&old);
	up.config = fresh; /* reload.c names what waits for the next start */
	up_follow_change(fresh);
}

static void take_down(void)
{
	bool keep = up.plan.gate.kill_switch;
	char why[512];
	int owner, err = gate_down(keep, &owner, why, sizeof(why));

	up.stands = false;
	if (err)
		log_error("not everything could be taken back, `gatun down` tries again: %s", why);
	else if (keep)
		log_warn("the kill switch stays on: nothing leaves this machine beside a tunnel until `gatun down`");
	else
		log_info("everything is as it was before");
}

static void end(void)
{
	up_follow_end();
	up_resolved_end();
	if (up.stands)
		take_down();
	close_queues(up.n_queues);
	up.n_queues = 0;
	tun_owners_free(up.near.owners);
	up.near.owners = NULL;
	up_plan_free(&up.plan);
	fake_names_close();
}

static struct workers_hooks hooks = {
	.begin = begin,
	.descriptors = descriptors,
	.ready = ready,
	.stands = say_it_stands,
	.prepare = prepare_gate,
	.reloaded = reloaded,
	.end = end,
};

/* ---- a worker ---- */

static void own_addresses(void)
{
	struct addr own[2];

	up_plan_own_addresses(own);
	icmp_own_address(&own[0]);
	icmp_own_address(&own[1]);
}

static int open_client(void *owner, const struct config *config)
{
	struct near_options near = up.near;
	struct client **c = owner;
	int err;

	near.worker = worker_index();
	if (near.kind == NEAR_TUN)
		near.tun_fd = up.queues[near.worker];
	own_addresses();
	*c = client_open(config, &near, &err);
	if (!*c && err != -ECANCELED) /* else all has been said */
		log_error("the engine cannot start err=%s", err_name(err));
	return *c ? 0 : err;
}

static int prepare(void *client, const struct config *fresh)
{
	if (engine_has_plugins(fresh) && !up.plan.gate.plugin_uid) {
		log_error("a first plugin wants a user of its own, which only a new start can give it");
		return -EINVAL;
	}
	return client_prepare(client, fresh);
}

static const struct reload_steps steps = { .prepare = prepare, .apply = client_apply, .withdraw = client_withdraw };

static void *core(void *owner)
{
	return *(struct client **)owner;
}

static void close_client(void *owner)
{
	struct client **c = owner;

	if (*c)
		client_close(*c);
}

static int run_worker(const struct config *config)
{
	static const struct life life = { .mode = "up", .signals = true, .open = open_client, .steps = &steps, .core = core, .close = close_client };
	struct client *c = NULL;

	return life_run(&life, &c, config) ? 1 : 0;
}

/* ---- the whole ---- */

static int print_rules(const struct config *config)
{
	struct up_plan plan;
	struct near_options near = { 0 };
	int err = up_plan_make(&plan, config);

	if (err)
		return 1;
	up_plan_add_fakes(&plan, config);
	if (config->up.routes.n && config->dns == DNS_FAKE && plan.gate.ipv6 && !config->fake6.at.family)
		log_warn("fake IPv6 addresses have a random range, which only a running gatun knows; to have it in these "
			 "rules, choose it: \"fake_dns_ipv6_network\"");
	err = up_plan_keep_fakes(&plan, config);
	if (plan.gate.mode == GATE_TUN)
		plan.gate.mtu = tun_mtu_of(config, false);
	else if (!err)
		err = up_ports_choose(&plan.gate, &near);
	if (!err)
		err = gate_print(&plan.gate, (enum gate_form)(config->up.print_rules - 1), stdout);
	if (!err && fflush(stdout) != 0)
		err = -errno;
	up_plan_free(&plan);
	return err ? 1 : 0;
}

int role_up(const struct config *config)
{
	static const struct workers_plan plan = { .mode = "up", .run = run_worker, .hooks = &hooks };

	return config->up.print_rules ? print_rules(config) : workers_run(config, &plan);
}
