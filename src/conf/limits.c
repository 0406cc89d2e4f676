/* Limits from the outer object into the inner one, number by number; 0 that was
 * written is a word too: no limit here, whatever stands outside. */
#include "conf/limits.h"

static void inherit(struct spec_number *to, const struct spec_number *from)
{
	if (!to->at)
		*to = *from;
}

void limits_inherit(struct limits_spec *to, const struct limits_spec *from)
{
	inherit(&to->client_bytes_per_s, &from->client_bytes_per_s);
	inherit(&to->client_flows_per_s, &from->client_flows_per_s);
	inherit(&to->client_flows, &from->client_flows);
	inherit(&to->user_bytes_per_s, &from->user_bytes_per_s);
	inherit(&to->user_flows_per_s, &from->user_flows_per_s);
}

struct config_limits limits_of(const struct limits_spec *s)
{
	return (struct config_limits){
		.client_bytes_per_s = s->client_bytes_per_s.number,
		.client_flows_per_s = s->client_flows_per_s.number,
		.client_flows = s->client_flows.number,
		.user_bytes_per_s = s->user_bytes_per_s.number,
		.user_flows_per_s = s->user_flows_per_s.number,
	};
}
