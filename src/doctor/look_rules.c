/*
 * Other people's policy rules. One that is asked before ours and takes
 * everything leaves us nothing; one that stands where ours go is in the way
 * (gate_check says so, and its sentence is ours).
 */
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "doctor/trials.h"
#include "engine/service.h"
#include "gate/gate.h"
#include "roles/up_plan.h"
#include "sys/netlink.h"

static const struct {
	uint32_t table;
	const char *name;
} known[] = {
	{ 52, "Tailscale" },
	{ 2022, "sing-box" },
	{ 51820, "WireGuard (wg-quick)" },
};

static const char *who_has(uint32_t table)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].table == table)
			return known[i].name;
	return "somebody";
}

/* Does it take packets that no selector of its own sets apart? */
static bool takes_all(const struct netlink_rule *r)
{
	bool marked = r->mask && !r->inverted;

	return r->action == FR_ACT_TO_TBL && r->table != RT_TABLE_LOCAL && !marked && !r->iif[0] && !r->uids && !r->ip_protocol && !r->port_from &&
	       !r->narrower;
}

static void look_at_family(struct netlink *nl, int family, const struct doctor_patient *p, struct doctor_report *r)
{
	struct netlink_rule *rules;
	int n = netlink_list_rules(nl, family, &rules);

	for (int i = 0; i < n; i++) {
		char mend[DOCTOR_MEND];

		if (rules[i].protocol == GATE_PROTOCOL || rules[i].priority >= p->config->up.priority || !takes_all(&rules[i]))
			continue;
		snprintf(mend, sizeof(mend), "gatun up --priority %u ...", rules[i].priority > GATE_PRIORITY / 4 ? rules[i].priority / 2 : 1);
		doctor_say(r, DOCTOR_NOTE, 0, rules[i].priority > 1 ? mend : NULL,
			   "an IPv%d rule of %s (priority %u, table %u) is asked before gatun's: what it takes never comes to gatun",
			   family == AF_INET ? 4 : 6, who_has(rules[i].table), rules[i].priority, rules[i].table);
	}
	if (n >= 0)
		free(rules);
}

/* Nobody's gatun is up, so it is not ours. True: it is in the way. */
static bool check_device(const struct doctor_patient *p, struct doctor_report *r)
{
	const struct config_up *up = &p->config->up;
	char mend[DOCTOR_MEND];

	if (up->mode != UP_TUN || !if_nametoindex(up->device))
		return false;
	snprintf(mend, sizeof(mend), "sudo ip link del %s, or: gatun up --device NAME ...", up->device);
	doctor_say(r, DOCTOR_BAD, DOCTOR_OF_UP, mend, "a device %s is there already, and is not gatun's", up->device);
	return true;
}

/* Plugins send past the gate, and are known by their user. */
static void check_plugins(const struct doctor_patient *p, struct doctor_report *r)
{
	char why[DOCTOR_TEXT];
	uint32_t uid;

	if (service_plugin_uid(p->config, &uid, why, sizeof(why)) != 0)
		doctor_say(r, DOCTOR_BAD, DOCTOR_OF_UP, NULL, "%s", why);
}

/* What gate_check says here, where everything else is. */
static void check_gate(const struct doctor_patient *p, struct doctor_report *r)
{
	struct config config = *p->config;
	struct up_plan plan;
	char why[DOCTOR_TEXT];
	int err;

	config.n_servers = 0; /* check_plugins has spoken of theirs */
	err = up_plan_make(&plan, &config);
	if (err)
		return;
	plan.gate.mode = GATE_TPROXY; /* all but the device, which `up` makes first */
	plan.gate.device[0] = 0;
	plan.gate.port = DOCTOR_PORT;
	err = gate_check(&plan.gate, why, sizeof(why));
	if (err == -EEXIST)
		doctor_say(r, DOCTOR_NOTE, 0, NULL, "%s", why);
	else if (err)
		doctor_say(r, DOCTOR_BAD, DOCTOR_OF_UP, NULL, "%s", why);
	else if (!check_device(p, r))
		doctor_say(r, DOCTOR_OK, 0, NULL, "nobody else uses the marks, tables and priorities of `up`");
	up_plan_free(&plan);
}

void doctor_look_rules(const struct doctor_patient *p, struct doctor_report *r)
{
	struct netlink nl;

	if (netlink_open(&nl) != 0)
		return;
	look_at_family(&nl, AF_INET, p, r);
	look_at_family(&nl, AF_INET6, p, r);
	netlink_close(&nl);
	if (p->root) {
		check_plugins(p, r);
		check_gate(p, r);
	}
}
