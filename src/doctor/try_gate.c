/*
 * Trials of what `up` tells the kernel: the gate itself, in each of its modes,
 * is built and taken back in a network of the trial's own, and through TPROXY
 * and REDIRECT something is carried (try_carry.c). What the kernel or nft lacks
 * shows here and not in a list of modules.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "doctor/trials.h"
#include "gate/gate.h"
#include "roles/up_plan.h"
#include "sys/tundev.h"

#define MTU 1400

/* What the config asks for, but in a network where there is nothing else. */
static void fit_plan(struct gate_plan *plan, enum gate_mode mode)
{
	plan->mode = mode;
	plan->n_lans = plan->n_excludes = plan->n_cgroups = 0;
	plan->mtu = MTU;
	plan->port = DOCTOR_PORT;
	plan->dns_port = DOCTOR_PORT + 1;
}

static const char *mode_name(enum gate_mode mode)
{
	return mode == GATE_TUN ? "tun" : mode == GATE_TPROXY ? "tproxy" : "redirect";
}

/* Whoever tries it is taken, too. */
static void take_everything(struct gate_plan *plan)
{
	plan->pick = GATE_EVERYBODY;
	plan->n_uids = plan->n_routes = 0;
}

/* Builds it, uses it (c: or NULL) and takes it back: 0, or -errno with a sentence. */
static int build(const struct doctor_carrier *c, const struct gate_plan *plan, char *why, size_t size)
{
	struct tun_features features;
	char down[DOCTOR_TEXT];
	int fd = -1, owner, err = 0, left;

	if (plan->mode == GATE_TUN) {
		fd = tundev_open(plan->device, MTU, &features, why, size);
		err = fd < 0 ? fd : 0;
	}
	if (!err)
		err = gate_up(plan, why, size);
	if (!err) {
		if (c)
			err = doctor_carry(c, plan, why, size);
		left = gate_down(false, &owner, err ? down : why, err ? sizeof(down) : size);
		err = err ? err : left;
	}
	if (fd >= 0)
		close(fd);
	return err;
}

/* What the kernel answers where a part of nftables is missing. */
static const char *mend_of(enum gate_mode mode, int err)
{
	if (err == -ELIBACC) /* said by gate_check */
		return NULL;
	if (err != -ENOENT && err != -EOPNOTSUPP && err != -EPROTONOSUPPORT)
		return mode == GATE_TUN ? NULL : "gatun up --mode tun ...";
	return mode == GATE_TPROXY ? "modprobe -a nft_tproxy nft_socket nft_ct nft_fib_inet"
	       : mode == GATE_REDIRECT ? "modprobe -a nft_redir nft_chain_nat nft_ct nft_fib_inet nft_reject_inet"
				       : "modprobe -a nf_tables nft_ct nft_fib_inet";
}

static void say(enum gate_mode mode, bool wanted, int err, const char *why, struct doctor_report *r)
{
	static const char *const carried[] = {
		[GATE_TUN] = "",
		[GATE_TPROXY] = "; TCP and UDP came through them",
		[GATE_REDIRECT] = "; TCP came through them",
	};

	if (err)
		doctor_say(r, wanted ? DOCTOR_BAD : DOCTOR_NOTE, DOCTOR_OF_UP, mend_of(mode, err), "--mode %s does not work here: %s", mode_name(mode),
			   why);
	else
		doctor_say(r, DOCTOR_OK, 0, NULL, "--mode %s: routes, rules and nft tables can be made and taken back%s", mode_name(mode),
			   carried[mode]);
}

static void try_mode(const struct doctor_patient *p, const struct doctor_carrier *c, enum gate_mode mode, struct doctor_report *r)
{
	bool wanted = mode == (enum gate_mode)p->config->up.mode;
	struct config config = *p->config; /* borrowed but for the mode, which decides what a plan has */
	struct up_plan plan;
	char why[DOCTOR_TEXT] = "";
	int err;

	config.up.mode = (uint32_t)mode;
	config.n_servers = 0; /* nor is it who plugins run as, of which doctor_look_rules speaks */
	if (up_plan_make(&plan, &config) != 0)
		return;
	fit_plan(&plan.gate, mode);
	err = build(NULL, &plan.gate, why, sizeof(why));
	if (!err && mode != GATE_TUN) {
		take_everything(&plan.gate);
		err = build(c, &plan.gate, why, sizeof(why));
	}
	up_plan_free(&plan);
	say(mode, wanted, err, why, r);
}

void doctor_try_gate(const struct doctor_patient *p, struct doctor_report *r)
{
	struct doctor_carrier c;
	int err;

	if (!p->root) /* said by doctor_look_rights */
		return;
	err = doctor_carry_network(&c);
	if (err)
		doctor_say(r, DOCTOR_NOTE, 0, NULL, "there is no network to try routes and rules in err=%s", err_name(err));
	for (int mode = GATE_TUN; mode <= GATE_REDIRECT && !err; mode++)
		try_mode(p, &c, (enum gate_mode)mode, r);
	doctor_carry_end(&c);
}
