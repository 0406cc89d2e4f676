/*
 * What a guest says in SOCKS5, SOCKS4 and SOCKS4a, and what it is answered. The
 * bytes are proto/socks.c's; the guest's life is mixed.c's.
 *
 * The success of CONNECT is told when the outbound stands, its failure with the
 * reply that fits; BND.ADDR of CONNECT is 0.0.0.0:0, for the address that the
 * far end uses is not known here. SOCKS4 has no passwords: where users are
 * asked for it is refused.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "inbound/mixed_guest.h"
#include "io/tcp_socket.h"
#include "proto/socks.h"

enum { PHASE_GREETING, PHASE_LOGIN, PHASE_REQUEST };

static void say_method(struct guest *g, uint8_t method)
{
	uint8_t out[2];

	guest_say(g, out, socks_write_method(out, method));
}

static void say_reply(struct guest *g, uint8_t reply, const struct addr *bound)
{
	uint8_t out[GUEST_REPLY_MAX];

	guest_say(g, out, socks_write_reply(out, reply, bound));
}

static ssize_t refuse(struct guest *g, uint8_t reply)
{
	say_reply(g, reply, NULL);
	guest_turn_away(g);
	return -EPROTO;
}

static ssize_t read_greeting(struct guest *g, const uint8_t *in, size_t len)
{
	struct socks_greeting greeting;
	ssize_t n = socks_read_greeting(in, len, &greeting);
	bool users = g->options->socks_users && g->options->socks_users->n;

	if (n <= 0)
		return n;
	if (users ? !greeting.password : !greeting.none) {
		say_method(g, SOCKS_METHOD_NO_MATCH);
		guest_turn_away(g);
		return -EPROTO;
	}
	say_method(g, users ? SOCKS_METHOD_PASSWORD : SOCKS_METHOD_NONE);
	g->phase = users ? PHASE_LOGIN : PHASE_REQUEST;
	return n;
}

static ssize_t read_login(struct guest *g, const uint8_t *in, size_t len)
{
	struct socks_login login;
	ssize_t n = socks_read_login(in, len, &login);
	char client[ADDR_STRLEN];
	uint8_t status[2];
	bool ok;

	if (n <= 0)
		return n;
	ok = guest_admitted(g->options->socks_users, login.name, login.name_len, login.password, login.password_len);
	guest_say(g, status, socks_write_login_status(status, ok));
	if (!ok) {
		log_warn("client %s was not let in: wrong name or password", addr_format(&g->client, client));
		guest_turn_away(g);
		return -EPROTO;
	}
	g->phase = PHASE_REQUEST;
	return n;
}

static bool is_any(const struct addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->ip.bytes, zero, sizeof(zero)) == 0;
}

/* Where the client sends its datagrams: an address that it can reach. */
static struct addr relay_address(const struct guest *g)
{
	struct addr udp = socks_udp_addr(g->options->udp), self = g->options->udp_told;

	if (self.family) {
		if (!self.port)
			self.port = udp.port;
		return self;
	}
	if (!is_any(&udp))
		return udp;
	self = tcp_socket_self(g->under);
	self.port = udp.port;
	return self;
}

static ssize_t associate(struct guest *g, const struct target *target)
{
	struct addr bound;

	if (!g->options->udp)
		return refuse(g, SOCKS_NO_COMMAND);
	g->association = socks_udp_open(g->options->udp, &g->client, target);
	if (!g->association)
		return refuse(g, SOCKS_FAILURE);
	bound = relay_address(g);
	say_reply(g, SOCKS_OK, &bound);
	guest_control(g);
	return 0;
}

static ssize_t read_request(struct guest *g, const uint8_t *in, size_t len)
{
	struct socks_request request;
	ssize_t n = socks_read_request(in, len, &request);

	if (n == -EAFNOSUPPORT)
		return refuse(g, SOCKS_NO_ADDRESS_TYPE);
	if (n < 0)
		return refuse(g, SOCKS_FAILURE);
	if (n == 0)
		return 0;
	if (request.command == SOCKS_UDP_ASSOCIATE)
		return associate(g, &request.target);
	if (request.command != SOCKS_CONNECT || !g->options->tcp)
		return refuse(g, SOCKS_NO_COMMAND);
	if (!target_port(&request.target))
		return refuse(g, SOCKS_FAILURE);
	g->target = request.target;
	guest_hold(g);
	return n;
}

static ssize_t read5(struct guest *g, const uint8_t *in, size_t len)
{
	switch (g->phase) {
	case PHASE_GREETING:
		return read_greeting(g, in, len);
	case PHASE_LOGIN:
		return read_login(g, in, len);
	default:
		return read_request(g, in, len);
	}
}

static size_t reply5(struct guest *g, enum flow_end why, uint8_t *out)
{
	(void)g;
	return socks_write_reply(out, socks_reply_of(why), NULL);
}

/* ---- SOCKS4 ---- */

static ssize_t refuse4(struct guest *g)
{
	uint8_t out[8];

	guest_say(g, out, socks4_write_reply(out, false));
	guest_turn_away(g);
	return -EPROTO;
}

static ssize_t read4(struct guest *g, const uint8_t *in, size_t len)
{
	struct socks_request request;
	ssize_t n = socks4_read_request(in, len, &request);

	if (n == 0)
		return 0;
	if (n < 0 || request.command != SOCKS_CONNECT || !g->options->tcp || !target_port(&request.target))
		return refuse4(g);
	if (g->options->socks_users && g->options->socks_users->n)
		return refuse4(g);
	g->target = request.target;
	guest_hold(g);
	return n;
}

static size_t reply4(struct guest *g, enum flow_end why, uint8_t *out)
{
	(void)g;
	return socks4_write_reply(out, why == END_DONE);
}

/* No message of SOCKS is as long as the buffer. */
static void too_long(struct guest *g) { guest_turn_away(g); }

const struct guest_protocol guest_socks5 = { read5, reply5, SOCKS_MAX, too_long };
const struct guest_protocol guest_socks4 = { read4, reply4, SOCKS_MAX, too_long };
