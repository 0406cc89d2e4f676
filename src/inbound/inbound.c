/* The question whether a client is welcome, asked alike by all inbounds of
 * streams, whose answer is counted like the end of a flow. What the question
 * means is the owner's business. */
#include "inbound/inbound.h"

#include "base/log.h"
#include "flow/counters.h"

enum flow_end inbound_admit(const struct inbound_events *events, void *owner, const struct addr *client)
{
	enum flow_end why = events->admit ? events->admit(owner, client) : END_DONE;
	char text[ADDR_STRLEN];

	if (why != END_DONE) {
		flow_counters.tcp.ended[why]++;
		log_info("client %s was turned away end=%s", addr_format(client, text), flow_end_name(why));
	}
	return why;
}
