/* The status document's udp_over_tcp: which way the UDP of each server goes that
 * has the choice. */
#include "engine/status.h"
#include "outbound/uot_auto.h"

static void describe_one(void *owner, const struct uot_auto *a)
{
	json_t *one = json_object();

	json_object_set_new(one, "tag", json_string(a->options.name));
	json_object_set_new(one, "breaker", json_string(breaker_state_name((enum breaker_state)a->breaker.state)));
	json_object_set_new(one, "trips", json_integer((json_int_t)a->breaker.trips));
	json_array_append_new(owner, one);
}

static json_t *describe(void *owner)
{
	json_t *all = json_array();

	(void)owner;
	uot_auto_each(describe_one, all);
	if (json_array_size(all))
		return all;
	json_decref(all);
	return NULL;
}

void engine_status_add_udp_over_tcp(void)
{
	engine_status_add("udp_over_tcp", describe, NULL);
}
