/* What a client of SOCKS5 says and reads; see socks_client.h. */
#include "proto/socks_client.h"

#include <errno.h>
#include <string.h>

#include "proto/ss_addr.h"

size_t socks_write_greeting(uint8_t *out, bool password)
{
	out[0] = 5;
	out[1] = password ? 2 : 1;
	out[2] = SOCKS_METHOD_NONE;
	out[3] = SOCKS_METHOD_PASSWORD;
	return 2 + (size_t)out[1];
}

ssize_t socks_read_method(const uint8_t *in, size_t len, uint8_t *method)
{
	if (len >= 1 && in[0] != 5)
		return -EPROTO;
	if (len < 2)
		return 0;
	*method = in[1];
	return 2;
}

static size_t write_text(uint8_t *out, const char *text)
{
	size_t len = strlen(text);

	out[0] = (uint8_t)len;
	memcpy(out + 1, text, len);
	return 1 + len;
}

size_t socks_write_login(uint8_t *out, const char *name, const char *password)
{
	size_t n = 1;

	out[0] = 1;
	n += write_text(out + n, name);
	return n + write_text(out + n, password);
}

ssize_t socks_read_login_status(const uint8_t *in, size_t len, bool *ok)
{
	if (len < 2)
		return 0;
	*ok = in[1] == 0; /* the version is 1, and some servers say 5 */
	return 2;
}

size_t socks_write_request(uint8_t *out, enum socks_command command, const struct target *target)
{
	out[0] = 5;
	out[1] = (uint8_t)command;
	out[2] = 0;
	return 3 + ss_addr_encode(target, out + 3);
}

ssize_t socks_read_reply(const uint8_t *in, size_t len, uint8_t *reply, struct target *bound)
{
	static const uint8_t none[4];
	ssize_t n;

	if (len >= 1 && in[0] != 5)
		return -EPROTO;
	if (len < 5)
		return 0;
	*reply = in[1];
	if (in[3] == 3 && in[4] == 0) { /* an empty name: nobody can be reached by it, but a reply it is */
		struct addr nowhere = addr_v4(none, 0);

		target_from_addr(bound, &nowhere);
		return len < 7 ? 0 : 7;
	}
	n = ss_addr_decode(in + 3, len - 3, bound);
	return n > 0 ? n + 3 : n;
}

enum flow_end socks_end_of(uint8_t reply)
{
	switch (reply) {
	case SOCKS_DENIED:
		return END_DENIED;
	case SOCKS_NET_UNREACHABLE:
	case SOCKS_HOST_UNREACHABLE:
		return END_UNREACHABLE;
	case SOCKS_TTL:
		return END_CONNECT_TIMEOUT;
	case SOCKS_NO_COMMAND:
	case SOCKS_NO_ADDRESS_TYPE:
		return END_PROTOCOL;
	default: /* "general failure" is what many say of a closed port */
		return END_REFUSED;
	}
}
