/* The words of enum flow_end, and the one for an errno. */
#include "io/flow_end.h"

#include <assert.h>
#include <errno.h>

static const char *const names[] = {
	[END_DONE] = "done",
	[END_CLIENT_RESET] = "client-reset",
	[END_REMOTE_RESET] = "remote-reset",
	[END_REFUSED] = "refused",
	[END_UNREACHABLE] = "unreachable",
	[END_NET_UNREACHABLE] = "net-unreachable",
	[END_CONNECT_TIMEOUT] = "connect-timeout",
	[END_NAME] = "name-not-found",
	[END_DENIED] = "denied",
	[END_NO_REPLY] = "no-reply",
	[END_TRUNCATED] = "truncated",
	[END_FORGED] = "forged",
	[END_REPLAY] = "replay",
	[END_CLOCK] = "clock-skew",
	[END_PROTOCOL] = "protocol-error",
	[END_IDLE] = "idle",
	[END_EVICTED] = "evicted",
	[END_LIMIT] = "limit",
	[END_REMOVED] = "removed",
	[END_KILLED] = "killed",
	[END_ADDRESS_GONE] = "address-gone",
	[END_LOOP] = "loop",
	[END_SHUTDOWN] = "shutdown",
};
static_assert(sizeof(names) / sizeof(names[0]) == END_COUNT, "every flow_end has a word");

const char *flow_end_name(enum flow_end why)
{
	return (unsigned)why < END_COUNT ? names[why] : "?";
}

enum flow_end flow_end_of_connect(int err)
{
	switch (err < 0 ? -err : err) {
	case ECONNREFUSED:
		return END_REFUSED;
	case ENETUNREACH:
		return END_NET_UNREACHABLE;
	case ETIMEDOUT:
		return END_CONNECT_TIMEOUT;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
	case EADDRNOTAVAIL:
		return END_LIMIT;
	case EPERM:
	case EACCES:
		return END_DENIED;
	case ECONNRESET:
	case EPIPE:
		return END_REMOTE_RESET;
	default:
		return END_UNREACHABLE;
	}
}
