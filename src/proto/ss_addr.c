/* The SOCKS5 address. Every length is checked before what it covers is read. */
#include "proto/ss_addr.h"

#include <errno.h>
#include <string.h>

static const struct ss_addr_types socks_types = { .ipv4 = 1, .name = 3, .ipv6 = 4 };

size_t ss_addr_len(const struct target *t)
{
	if (target_is_name(t))
		return 1 + 1 + (size_t)t->name_len + 2;
	return 1 + (t->ip.family == AF_INET6 ? 16 : 4) + 2;
}

size_t ss_addr_encode_as(const struct ss_addr_types *types, const struct target *t, uint8_t *out)
{
	uint8_t *p = out;

	if (target_is_name(t)) {
		*p++ = types->name;
		*p++ = t->name_len;
		memcpy(p, t->name, t->name_len);
		p += t->name_len;
	} else {
		size_t n = t->ip.family == AF_INET6 ? 16 : 4;

		*p++ = n == 16 ? types->ipv6 : types->ipv4;
		memcpy(p, t->ip.ip.bytes, n);
		p += n;
	}
	*p++ = (uint8_t)(t->ip.port >> 8);
	*p++ = (uint8_t)t->ip.port;
	return (size_t)(p - out);
}

/* How long the address at `in` is; 0 when that cannot be told yet. */
static ssize_t encoded_len(const struct ss_addr_types *types, const uint8_t *in, size_t len)
{
	if (len < 1)
		return 0;
	if (in[0] == types->ipv4)
		return 1 + 4 + 2;
	if (in[0] == types->ipv6)
		return 1 + 16 + 2;
	if (in[0] != types->name)
		return -EPROTO;
	if (len < 2)
		return 0;
	return in[1] ? 1 + 1 + in[1] + 2 : -EPROTO;
}

/* Some clients send a literal as a name; one host has one spelling here. */
static void set_name(struct target *out, const uint8_t *name, uint8_t len, uint16_t port)
{
	struct addr literal;

	memcpy(out->name, name, len);
	out->name[len] = 0;
	if (len < ADDR_STRLEN && !memchr(name, 0, len) && !addr_parse_ip(out->name, port, &literal)) {
		target_from_addr(out, &literal);
		return;
	}
	memset(&out->ip, 0, sizeof(out->ip));
	out->ip.port = port;
	out->name_len = len;
}

ssize_t ss_addr_decode_as(const struct ss_addr_types *types, const uint8_t *in, size_t len, struct target *out)
{
	ssize_t need = encoded_len(types, in, len);
	uint16_t port;

	if (need <= 0 || (size_t)need > len)
		return need < 0 ? need : 0;
	port = (uint16_t)(in[need - 2] << 8 | in[need - 1]);
	out->name_len = 0;
	out->name[0] = 0;
	if (in[0] == types->ipv4)
		out->ip = addr_v4(in + 1, port);
	else if (in[0] == types->ipv6)
		out->ip = addr_v6(in + 1, port);
	else
		set_name(out, in + 2, in[1], port);
	return need;
}

size_t ss_addr_encode(const struct target *t, uint8_t *out)
{
	return ss_addr_encode_as(&socks_types, t, out);
}

ssize_t ss_addr_decode(const uint8_t *in, size_t len, struct target *out)
{
	return ss_addr_decode_as(&socks_types, in, len, out);
}
