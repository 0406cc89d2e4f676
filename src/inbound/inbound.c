/* The question whether a client is welcome, asked alike by all inbounds of
 * streams, whose answer is counted like the end of a flow. What the question
 * means is the owner's business. */
#include "inbound/inbound.h"

#include <sys/resource.h>

#include "base/log.h"
#include "flow/counters.h"

#define GUESTS_FLOOR 16
#define GUESTS_CEILING 65536

unsigned inbound_guests_max(void)
{
	struct rlimit files;
	rlim_t most;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return GUESTS_FLOOR;
	most = files.rlim_cur / 4;
	return most < GUESTS_FLOOR ? GUESTS_FLOOR : most > GUESTS_CEILING ? GUESTS_CEILING : (unsigned)most;
}

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
