/* See status_gate.h. The guard's counter is read from the kernel when somebody asks. */
#include "roles/up_status.h"

#include "engine/status.h"

static const char *mode_name(enum gate_mode m)
{
	return m == GATE_TUN ? "tun" : m == GATE_TPROXY ? "tproxy" : "redirect";
}

static json_t *describe_lans(const struct gate_plan *p)
{
	json_t *lans = json_array();

	for (int i = 0; i < p->n_lans; i++)
		json_array_append_new(lans, json_string(p->lans[i]));
	return lans;
}

static json_t *describe_gate(void *owner)
{
	const struct gate_plan *p = owner;
	json_t *gate = json_object();

	json_object_set_new(gate, "mode", json_string(mode_name(p->mode)));
	status_put(gate, "mark", p->mark);
	status_put(gate, "table", p->table);
	status_put(gate, "priority", p->priority);
	if (p->mode == GATE_TUN)
		json_object_set_new(gate, "device", json_string(p->device));
	if (p->n_lans)
		json_object_set_new(gate, "lans", describe_lans(p));
	json_object_set_new(gate, "ipv6", json_boolean(p->ipv6));
	json_object_set_new(gate, "kill_switch", json_boolean(p->kill_switch));
	if (p->kill_switch)
		status_put(gate, "guard_drops", gate_guard_drops());
	return gate;
}

void up_status_add_gate(struct gate_plan *p)
{
	engine_status_add("gate", describe_gate, p);
}
