/*
 * What a guest says in HTTP, and what it is answered: CONNECT becomes a held
 * stream like that of SOCKS, a plain request an exchange of http_plain.c. The
 * bytes are proto/http_connect.c's; the guest's life is mixed.c's.
 *
 * A request that could be read in two ways is refused with 400 and the
 * connection ends, so nothing behind it is ever taken for a request.
 */
#include <errno.h>
#include <sodium.h>

#include "base/log.h"
#include "inbound/http_plain.h"
#include "proto/http_connect.h"

static ssize_t refuse(struct guest *g, unsigned status)
{
	uint8_t out[HTTP_REPLY_MAX];

	guest_say(g, out, http_write_reply(status, out));
	guest_turn_away(g);
	return -EPROTO;
}

static bool is_admitted(const struct guest *g, const struct http_head *h)
{
	const struct config_users *users = g->options->http_users;
	struct http_text name, password;
	char room[1024];
	bool ok;

	if (!users || !users->n)
		return true;
	ok = http_read_basic(h->authorization, room, sizeof(room), &name, &password) == 0 &&
	     guest_admitted(users, name.at, name.len, password.at, password.len);
	sodium_memzero(room, sizeof(room));
	return ok;
}

static ssize_t read_request(struct guest *g, const uint8_t *in, size_t len)
{
	char client[ADDR_STRLEN];
	struct http_head h;
	ssize_t n = http_read_request(in, len, &h);

	if (n == 0)
		return 0;
	if (n < 0)
		return refuse(g, (unsigned)-n);
	if (!is_admitted(g, &h)) {
		if (h.authorization.len)
			log_warn("client %s was not let in: wrong name or password", addr_format(&g->client, client));
		return refuse(g, 407);
	}
	g->target = h.target;
	if (h.connect)
		guest_hold(g);
	else if (http_plain_start(g, &h, in, (size_t)n) != 0)
		return refuse(g, 503);
	return n;
}

static size_t reply(struct guest *g, enum flow_end why, uint8_t *out)
{
	(void)g;
	return http_write_reply(http_status_of(why), out);
}

static void too_long(struct guest *g)
{
	refuse(g, 431);
}

const struct guest_protocol guest_http = { read_request, reply, HTTP_HEAD_MAX, too_long };
