/*
 * Trials of what `up` tells the kernel: the gate itself, in each of its modes,
 * is built and taken back in a network of the trial's own, and through TPROXY
 * one connection is made. What the kernel or nft lacks shows here and not in a
 * list of modules.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "doctor/trials.h"
#include "gate/gate.h"
#include "roles/up_plan.h"
#include "sys/netlink.h"
#include "sys/tundev.h"

#define MTU 1400
#define REPLY_MS 2000

/* What the config asks for, but in a network where there is nothing else. */
static void fit_plan(struct gate_plan *plan, enum gate_mode mode)
{
	plan->mode = mode;
	plan->n_lans = plan->n_excludes = plan->n_cgroups = 0;
	plan->mtu = MTU;
	plan->port = DOCTOR_PORT;
	plan->dns_port = DOCTOR_PORT + 1;
}

static int raise_loopback(void)
{
	struct netlink nl;
	struct netlink_link up = { .up = true };
	int err = netlink_open(&nl);

	if (err)
		return err;
	err = netlink_set_link(&nl, (int)if_nametoindex("lo"), &up);
	netlink_close(&nl);
	return err;
}

static const char *mode_name(enum gate_mode mode)
{
	return mode == GATE_TUN ? "tun" : mode == GATE_TPROXY ? "tproxy" : "redirect";
}

/* Builds it and takes it back: 0, or -errno with a sentence. */
static int build(const struct gate_plan *plan, char *why, size_t size)
{
	struct tun_features features;
	int fd = -1, owner, err = 0;

	if (plan->mode == GATE_TUN) {
		fd = tundev_open(plan->device, MTU, &features, why, size);
		err = fd < 0 ? fd : 0;
	}
	if (!err)
		err = gate_up(plan, why, size);
	if (!err)
		err = gate_down(false, &owner, why, size);
	if (fd >= 0)
		close(fd);
	return err;
}

static void try_mode(const struct doctor_patient *p, enum gate_mode mode, struct doctor_report *r)
{
	bool wanted = mode == (enum gate_mode)p->config->up.mode;
	struct up_plan plan;
	char why[DOCTOR_TEXT] = "";
	int err;

	if (up_plan_make(&plan, p->config) != 0)
		return;
	fit_plan(&plan.gate, mode);
	err = build(&plan.gate, why, sizeof(why));
	up_plan_free(&plan);
	if (err)
		doctor_say(r, wanted ? DOCTOR_BAD : DOCTOR_NOTE, DOCTOR_OF_UP, NULL, "--mode %s does not work here: %s", mode_name(mode), why);
	else
		doctor_say(r, DOCTOR_OK, 0, NULL, "--mode %s: routes, rules and nft tables can be made and taken back", mode_name(mode));
}

void doctor_try_gate(const struct doctor_patient *p, struct doctor_report *r)
{
	if (!p->root) /* said by doctor_look_rights */
		return;
	raise_loopback();
	for (int mode = GATE_TUN; mode <= GATE_REDIRECT; mode++)
		try_mode(p, mode, r);
}
