/*
 * Redirected TCP. The listener is an ordinary one; under TPROXY it is transparent,
 * so that the kernel may hand it connections to any address, and such a socket's
 * own address is the target. Under NAT the socket's address is the listener's and
 * conntrack is asked for the target.
 *
 * Nobody can use the listener as a proxy: whoever connects to it directly names no
 * target but itself, and is reset (own_address.c). What the client says is read when
 * the target's stream stands, as with every inbound.
 */
#include "inbound/redirect.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "flow/counters.h"
#include "inbound/own_address.h"
#include "io/tcp_socket.h"

struct redirect_tcp {
	struct tcp_listener *listener;
	enum redirect_how how;
	uint16_t port; /* bound */
	const struct inbound_events *events;
	void *owner;
};

/* Where it was to go; family 0: here. */
static struct addr original(const struct redirect_tcp *r, const struct stream *s)
{
	struct addr self = tcp_socket_self(s), to = r->how == REDIRECT_NAT ? tcp_socket_before_nat(s) : self;
	bool direct = r->how == REDIRECT_NAT && addr_equal(&to, &self);

	if (direct || (to.family && to.port == r->port && own_address(&to)))
		return (struct addr){ 0 };
	return to;
}

static void refuse(struct stream *s, const struct addr *client)
{
	char text[ADDR_STRLEN];

	flow_counters.tcp.ended[END_DENIED]++;
	log_warn("refused a client that was not redirected here but came by itself client=%s", addr_format(client, text));
	stream_end(s, END_DENIED);
}

static void on_client(void *owner, struct stream *s, const struct addr *client)
{
	struct redirect_tcp *r = owner;
	struct addr to = original(r, s);
	enum flow_end why;
	struct target target;

	if (!to.family) {
		refuse(s, client);
		return;
	}
	why = inbound_admit(r->events, r->owner, client);
	if (why != END_DONE) {
		stream_end(s, why);
		return;
	}
	target_from_addr(&target, &to);
	r->events->stream(r->owner, s, client, &target);
}

static const struct tcp_listener_events listener_events = { on_client };

static struct tcp_listener *open_listener(const struct addr *listen, uint32_t mark, struct redirect_tcp *r, int *err)
{
	struct socket_rules rules = socket_rules_listeners;
	struct tcp_socket_options socket = {
		.reset_on_death = true, .keepalive = true, .rules = &rules, .transparent = r->how == REDIRECT_TPROXY
	};

	rules.fwmark = mark;
	return tcp_listener_new(listen, &socket, &listener_events, r, err);
}

struct redirect_tcp *redirect_tcp_new(const struct addr *listen, enum redirect_how how, uint32_t mark,
				      const struct inbound_events *events, void *owner, int *err)
{
	struct redirect_tcp *r = calloc(1, sizeof(*r));

	*err = ENOMEM;
	if (!r)
		return NULL;
	r->how = how;
	r->events = events;
	r->owner = owner;
	r->listener = open_listener(listen, mark, r, err);
	if (!r->listener) {
		free(r);
		return NULL;
	}
	r->port = tcp_listener_addr(r->listener).port;
	return r;
}

void redirect_tcp_free(struct redirect_tcp *r)
{
	tcp_listener_free(r->listener);
	free(r);
}
