/* SOCKS messages. Every length is checked before what it covers is read. */
#include "proto/socks.h"

#include <errno.h>
#include <string.h>

#include "proto/ss_addr.h"

#define SOCKS4_NAME_LIMIT 256 /* of a user id or a name, its NUL included */

ssize_t socks_read_greeting(const uint8_t *in, size_t len, struct socks_greeting *out)
{
	*out = (struct socks_greeting){ 0 };
	if (len >= 1 && in[0] != 5)
		return -EPROTO;
	if (len < 2 || len < 2 + (size_t)in[1])
		return 0;
	for (size_t i = 0; i < in[1]; i++) {
		out->none |= in[2 + i] == SOCKS_METHOD_NONE;
		out->password |= in[2 + i] == SOCKS_METHOD_PASSWORD;
	}
	return 2 + in[1];
}

ssize_t socks_read_login(const uint8_t *in, size_t len, struct socks_login *out)
{
	size_t name_len, password_len;

	if (len >= 1 && in[0] != 1)
		return -EPROTO;
	if (len < 2)
		return 0;
	name_len = in[1];
	if (len < 2 + name_len + 1)
		return 0;
	password_len = in[2 + name_len];
	if (len < 2 + name_len + 1 + password_len)
		return 0;
	out->name = in + 2;
	out->name_len = (uint8_t)name_len;
	out->password = in + 2 + name_len + 1;
	out->password_len = (uint8_t)password_len;
	return (ssize_t)(2 + name_len + 1 + password_len);
}

ssize_t socks_read_request(const uint8_t *in, size_t len, struct socks_request *out)
{
	ssize_t n;

	if ((len >= 1 && in[0] != 5) || (len >= 3 && in[2] != 0))
		return -EPROTO;
	if (len < 4)
		return 0;
	if (in[3] != 1 && in[3] != 3 && in[3] != 4)
		return -EAFNOSUPPORT;
	out->command = in[1];
	n = ss_addr_decode(in + 3, len - 3, &out->target);
	return n > 0 ? n + 3 : n;
}

/* The length of a NUL-terminated text, NUL included; 0: more must come. */
static ssize_t text_len(const uint8_t *in, size_t len)
{
	const uint8_t *nul = memchr(in, 0, len < SOCKS4_NAME_LIMIT ? len : SOCKS4_NAME_LIMIT);

	if (nul)
		return nul - in + 1;
	return len >= SOCKS4_NAME_LIMIT ? -EPROTO : 0;
}

/* 0.0.0.x with x != 0 announces a name behind the user id: SOCKS4a. */
static bool is_4a(const uint8_t *ip)
{
	return !ip[0] && !ip[1] && !ip[2] && ip[3];
}

ssize_t socks4_read_request(const uint8_t *in, size_t len, struct socks_request *out)
{
	uint16_t port;
	ssize_t user, name;

	if (len >= 1 && in[0] != 4)
		return -EPROTO;
	if (len < 9)
		return 0;
	user = text_len(in + 8, len - 8);
	if (user <= 0)
		return user;
	out->command = in[1];
	port = (uint16_t)(in[2] << 8 | in[3]);
	if (!is_4a(in + 4)) {
		struct addr ip = addr_v4(in + 4, port);

		target_from_addr(&out->target, &ip);
		return 8 + user;
	}
	name = text_len(in + 8 + user, len - 8 - (size_t)user);
	if (name <= 0)
		return name;
	if (name == 1)
		return -EPROTO;
	/* Through the one decoder of names: a literal becomes an address there. */
	{
		uint8_t address[2 + 255 + 2] = { 3, (uint8_t)(name - 1) };

		memcpy(address + 2, in + 8 + user, (size_t)name - 1);
		memcpy(address + 1 + name, in + 2, 2);
		if (ss_addr_decode(address, (size_t)name + 3, &out->target) <= 0)
			return -EPROTO;
	}
	return 8 + user + name;
}

size_t socks_write_method(uint8_t *out, uint8_t method)
{
	out[0] = 5;
	out[1] = method;
	return 2;
}

size_t socks_write_login_status(uint8_t *out, bool ok)
{
	out[0] = 1;
	out[1] = !ok;
	return 2;
}

size_t socks_write_reply(uint8_t *out, uint8_t reply, const struct addr *bound)
{
	static const uint8_t zero[4];
	struct addr none = addr_v4(zero, 0);
	struct target t;

	target_from_addr(&t, bound && bound->family ? bound : &none);
	out[0] = 5;
	out[1] = reply;
	out[2] = 0;
	return 3 + ss_addr_encode(&t, out + 3);
}

size_t socks4_write_reply(uint8_t *out, bool granted)
{
	memset(out, 0, 8);
	out[1] = granted ? 90 : 91;
	return 8;
}

uint8_t socks_reply_of(enum flow_end why)
{
	switch (why) {
	case END_DONE:
		return SOCKS_OK;
	case END_DENIED:
		return SOCKS_DENIED;
	case END_REFUSED:
		return SOCKS_REFUSED;
	case END_NET_UNREACHABLE:
		return SOCKS_NET_UNREACHABLE;
	case END_UNREACHABLE:
	case END_NAME:
		return SOCKS_HOST_UNREACHABLE;
	case END_CONNECT_TIMEOUT:
		return SOCKS_TTL;
	default:
		return SOCKS_FAILURE;
	}
}

int socks_read_datagram(const uint8_t *in, size_t len, struct socks_datagram *out)
{
	ssize_t n;

	if (len < 4 || in[0] || in[1])
		return -EPROTO;
	n = ss_addr_decode(in + 3, len - 3, &out->target);
	if (n <= 0)
		return -EPROTO;
	out->frag = in[2];
	out->header_len = 3 + (size_t)n;
	return 0;
}

size_t socks_write_datagram_header(uint8_t *out, const struct target *from)
{
	out[0] = out[1] = out[2] = 0;
	return 3 + ss_addr_encode(from, out + 3);
}
